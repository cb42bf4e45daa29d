namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>JetStream refused a request.</summary>
/// <param name="code">By class, as in HTTP.</param>
/// <param name="errorCode">What exactly, as in the server's list of errors; 10059 is a missing stream.</param>
internal sealed class JetStreamException(int code, int errorCode, string description)
    : NatsException(NatsFault.JetStream, $"JetStream refused: {description} ({errorCode})")
{
    public int Code { get; } = code;

    public int ErrorCode { get; } = errorCode;

    public string Description { get; } = description;

    /// <summary>A cluster without a leader, a full store, a slow peer: all pass. JetStream that is switched off does not.</summary>
    public override bool IsTransient =>
        ErrorCode == JetStreamErrors.NoPeers || (Code is 408 or 429 or >= 500 && ErrorCode is not (JetStreamErrors.NotEnabled or JetStreamErrors.NotEnabledForAccount));
}

/// <summary>The errors that we tell apart.</summary>
internal static class JetStreamErrors
{
    /// <summary>Too few servers for the copies of a stream; while a cluster starts they are not all there.</summary>
    public const int NoPeers = 10005;

    public const int ConsumerNotFound = 10014;
    public const int MessageNotFound = 10037;
    public const int NotEnabledForAccount = 10039;
    public const int SequenceNotFound = 10043;
    public const int StreamNameInUse = 10058;
    public const int StreamNotFound = 10059;
    public const int WrongLastMessageId = 10070;
    public const int WrongLastSequence = 10071;
    public const int NotEnabled = 10076;
}
