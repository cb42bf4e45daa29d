using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.Http;

/// <summary>
/// The value of a header or a query parameter in a definition: a text with arguments, a number, a boolean, or the name of a secret with an
/// optional prefix.
/// </summary>
/// <param name="Text">The text, or the prefix of the secret.</param>
/// <param name="Secret">The name of the secret; null if there is none.</param>
internal sealed record ToolValue(string Text, string? Secret)
{
    /// <summary>The text with its arguments; null if the value is a secret.</summary>
    public ArgumentTemplate? Template { get; } = Secret is null ? ArgumentTemplate.Parse(Text) : null;

    /// <summary>The names of the arguments in the value.</summary>
    public IEnumerable<string> Names => Template?.Names ?? [];

    public static bool TryRead(JsonElement json, [NotNullWhen(true)] out ToolValue? value)
    {
        value =
            json.ValueKind == JsonValueKind.String ? new ToolValue(json.GetString()!, null)
            : json.ValueKind is JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False ? new ToolValue(json.GetRawText(), null)
            : json.TextProperty("env") is { Length: > 0 } name
            && json.Property("prefix") is null or { ValueKind: JsonValueKind.String }
            && json.EnumerateObject().All(it => it.Name is "env" or "prefix")
                ? new ToolValue(json.TextProperty("prefix") ?? "", name)
            : null;
        return value is not null;
    }

    /// <summary>Returns the value to send, or null if it contains an argument that is missing.</summary>
    public string? Fill(JsonElement arguments, HttpToolSettings settings) =>
        Template is null ? Text + SecretIn(settings)
        : Template.IsFilledBy(arguments) ? Template.Fill(arguments)
        : null;

    /// <summary>
    /// Returns the secret. It is empty if the value is not a secret, or if the secret is not set; in the latter case the tool can be
    /// inspected, but its agent cannot be run.
    /// </summary>
    public string SecretIn(HttpToolSettings settings) =>
        Secret is { } name && settings.Secrets().TryGetValue(name, out var secret) ? secret.Value ?? "" : "";
}
