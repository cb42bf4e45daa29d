using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>Where a server is. It prints as host and port alone.</summary>
/// <param name="UserInfo">What stood before the host in its URL.</param>
/// <param name="TlsName">The name that its certificate must have: a server learnt from another is known by its address, and shares the other's name.</param>
internal sealed record NatsEndpoint(string Host, int Port, bool IsTls, Secret UserInfo, string TlsName)
{
    public const int DefaultPort = 4222;

    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";

    public bool IsSameServer(NatsEndpoint other) => Port == other.Port && Host.Equals(other.Host, StringComparison.OrdinalIgnoreCase);

    /// <exception cref="NatsException"><see cref="NatsFault.InvalidSettings"/>; the text does not repeat the URL, which may hold a password.</exception>
    public static IReadOnlyList<NatsEndpoint> ParseSeeds(string urls)
    {
        var texts = urls.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var seeds = texts.Select((text, index) => Parse(text) ?? throw new NatsException(
            NatsFault.InvalidSettings, $"entry {index + 1} of NATS_URL is no NATS URL: write nats://HOST:PORT or tls://HOST:PORT")).ToList();
        return seeds.Count > 0 ? seeds : throw new NatsException(NatsFault.InvalidSettings, "NATS_URL names no server");
    }

    /// <summary>A server that another one told of, as <c>host:port</c>.</summary>
    public static NatsEndpoint? ParseDiscovered(string address, NatsEndpoint from) => Parse(address) is not { } endpoint ? null : endpoint with
    {
        IsTls = from.IsTls,
        UserInfo = from.UserInfo,
        TlsName = Uri.CheckHostName(endpoint.Host) == UriHostNameType.Dns ? endpoint.Host : from.TlsName,
    };

    private static NatsEndpoint? Parse(string text)
    {
        var url = text.Contains("://", StringComparison.Ordinal) ? text : $"nats://{text}";
        return Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "nats" or "tls" && uri.Host.Length > 0
            ? new NatsEndpoint(uri.DnsSafeHost, uri.Port > 0 ? uri.Port : DefaultPort, uri.Scheme == "tls", new Secret(uri.UserInfo), uri.DnsSafeHost)
            : null;
    }
}
