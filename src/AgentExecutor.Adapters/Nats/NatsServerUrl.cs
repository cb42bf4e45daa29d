using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Nats;

/// <summary>One server of <c>NATS_URL</c>. Its text contains only the host and the port.</summary>
/// <param name="UserInfo">The text before the host: <c>USER:PASSWORD</c>, <c>TOKEN</c>, or nothing.</param>
internal sealed record NatsServerUrl(string Host, int Port, bool IsTls, Secret UserInfo)
{
    public const int DefaultPort = 4222;

    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";

    /// <exception cref="FormatException">
    /// The text is not a list of NATS URLs. The message does not repeat it, because it may contain a password.
    /// </exception>
    public static IReadOnlyList<NatsServerUrl> ParseAll(string urls)
    {
        var texts = urls.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return texts.Length == 0
            ? throw new FormatException("NATS_URL contains no server")
            :
            [
                .. texts.Select(
                    (text, index) =>
                        Parse(text)
                        ?? throw new FormatException(
                            $"entry {index + 1} of NATS_URL is not a NATS URL: use nats://HOST:PORT or tls://HOST:PORT"
                        )
                ),
            ];
    }

    private static NatsServerUrl? Parse(string text)
    {
        var url = text.Contains("://", StringComparison.Ordinal) ? text : $"nats://{text}";
        return Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "nats" or "tls" && uri.Host.Length > 0
            ? new NatsServerUrl(uri.DnsSafeHost, uri.Port > 0 ? uri.Port : DefaultPort, uri.Scheme == "tls", new Secret(uri.UserInfo))
            : null;
    }
}
