namespace AgentExecutor.Adapters.Http;

/// <summary>Which headers definitions can set, and to what.</summary>
internal static class ToolHeader
{
    private static readonly string[] SensitiveNames =
    [
        "authorization",
        "cookie",
        "token",
        "secret",
        "password",
        "api-key",
        "apikey",
        "access-key",
        "x-key",
    ];

    /// <summary>
    /// Headers that determine where a request goes and where it ends. A definition that sets <c>Host</c> could access another site of a
    /// server of which only the address is allowed.
    /// </summary>
    private static readonly string[] OwnNames =
    [
        "host",
        "connection",
        "content-length",
        "expect",
        "idempotency-key",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];

    /// <summary>Returns true if the runtime sets this header itself, so that definitions cannot.</summary>
    public static bool IsOwn(string name) => OwnNames.Contains(name, StringComparer.OrdinalIgnoreCase);

    /// <summary>Returns true if a header with this name usually contains a secret.</summary>
    public static bool IsSensitive(string name) => SensitiveNames.Any(it => name.Contains(it, StringComparison.OrdinalIgnoreCase));

    /// <summary>
    /// Returns true if the text can be sent in a header. Only ASCII is allowed, because the encoding that a server assumes for other
    /// characters is unknown.
    /// </summary>
    public static bool IsSendable(string text) => text.All(it => it is '\t' or (>= ' ' and < '\u007f'));
}
