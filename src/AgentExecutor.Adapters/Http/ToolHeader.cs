using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.Http;

/// <summary>The value of a header in a definition: a string, or the name of a secret with an optional prefix.</summary>
/// <param name="Text">The string, or the prefix of the secret.</param>
/// <param name="Secret">The name of the secret; null if the header has none.</param>
internal sealed record ToolHeader(string Text, string? Secret)
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

    public static bool TryRead(JsonElement json, [NotNullWhen(true)] out ToolHeader? header)
    {
        header =
            json.ValueKind == JsonValueKind.String ? new ToolHeader(json.GetString()!, null)
            : json.TextProperty("env") is { Length: > 0 } name
            && IsPrefix(json.Property("prefix"))
            && json.EnumerateObject().All(it => it.Name is "env" or "prefix")
                ? new ToolHeader(json.TextProperty("prefix") ?? "", name)
            : null;
        return header is not null;
    }

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

    private static bool IsPrefix(JsonElement? prefix) => prefix is null or { ValueKind: JsonValueKind.String };
}
