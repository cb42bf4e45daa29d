using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.OpenApi;
using Microsoft.OpenApi.Reader;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace AgentExecutor.Adapters.OpenApi;

/// <summary>
/// Reads an OpenAPI document: a JSON object, or a text with JSON or YAML. References to other documents are not followed.
/// </summary>
internal static class OpenApiText
{
    /// <summary>YAML can refer to the same value many times, so a small text can stand for a huge document.</summary>
    private const int MaxValues = 200_000;

    private const int MaxDepth = 64;

    /// <exception cref="FormatException">The document cannot be read. The message says why.</exception>
    public static OpenApiDocument Read(JsonElement json)
    {
        var text = json.ValueKind == JsonValueKind.String ? TextOf(json.GetString()!) : json.GetRawText();
        var (document, diagnostic) = Parse(text);
        if (diagnostic?.Errors is [var error, ..])
        {
            throw new FormatException($"{error.Message}{(error.Pointer is { Length: > 0 } pointer ? $" (at {pointer})" : "")}");
        }
        return document ?? throw new FormatException("it is not an OpenAPI document");
    }

    private static ReadResult Parse(string text)
    {
        try
        {
            return OpenApiDocument.Parse(text, "json", new OpenApiReaderSettings());
        }
        catch (Exception exception) // The reader throws exceptions of many types for documents that it does not expect.
        {
            throw new FormatException(exception.Message, exception);
        }
    }

    private static string TextOf(string text)
    {
        if (text.AsSpan().TrimStart() is ['{', ..])
        {
            return text;
        }
        try
        {
            var yaml = new YamlStream();
            yaml.Load(new StringReader(text));
            var left = MaxValues;
            return yaml.Documents is [var only]
                ? Convert(only.RootNode, 0, ref left)?.ToJsonString() ?? "null"
                : throw new FormatException("it is not one YAML document");
        }
        catch (YamlException exception)
        {
            throw new FormatException($"it is not valid YAML: {exception.Message}", exception);
        }
    }

    private static JsonNode? Convert(YamlNode node, int depth, ref int left)
    {
        if (--left < 0 || depth > MaxDepth)
        {
            throw new FormatException($"it has more than {MaxValues} values, or more than {MaxDepth} levels");
        }
        switch (node)
        {
            case YamlMappingNode mapping:
                var filled = new JsonObject();
                foreach (var (key, value) in mapping.Children)
                {
                    filled[(key as YamlScalarNode)?.Value ?? ""] = Convert(value, depth + 1, ref left);
                }
                return filled;
            case YamlSequenceNode sequence:
                var list = new JsonArray();
                foreach (var item in sequence.Children)
                {
                    list.Add(Convert(item, depth + 1, ref left));
                }
                return list;
            case YamlScalarNode { Style: ScalarStyle.Plain } plain:
                return Scalar(plain.Value ?? "");
            default:
                return JsonValue.Create((node as YamlScalarNode)?.Value ?? "");
        }
    }

    private static JsonValue? Scalar(string text) =>
        text is "" or "~" or "null" or "Null" or "NULL" ? null
        : text is "true" or "True" or "TRUE" ? JsonValue.Create(true)
        : text is "false" or "False" or "FALSE" ? JsonValue.Create(false)
        : long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) ? JsonValue.Create(whole)
        : IsVersion(text) ? JsonValue.Create(text)
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
            ? JsonValue.Create(number)
        : JsonValue.Create(text);

    /// <summary>
    /// Returns true for a number such as 3.1 or 1.0. In these documents it is nearly always a version, and must be a text, while limits of
    /// schemas can also be read from texts.
    /// </summary>
    private static bool IsVersion(string text) => text is "3.0" or "3.1" or "3.2" or "1.0" or "2.0";
}
