namespace AgentExecutor.Adapters.Http;

/// <summary>Tools that are called over HTTP.</summary>
public sealed record HttpToolSettings
{
    /// <summary>
    /// Let tools reach loopback, private and link-local addresses. Where it is not set, the command line does, since there the definition is the
    /// user's own, and a service does not: definitions that others hand in could reach the inside of the network.
    /// </summary>
    public bool? AllowPrivateNetworks { get; init; }

    /// <summary>Seconds that one call may take, where the tool sets no lower limit.</summary>
    public double TimeoutSeconds { get; init; } = 60;

    /// <summary>Bytes of an answer that are read; what follows is cut off and said to be.</summary>
    public int MaxResponseBytes { get; init; } = 4 * 1024 * 1024;
}
