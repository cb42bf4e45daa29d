using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Runs;

/// <summary>The answer to a question that is not about a tool call: any value, or one of the options that were offered.</summary>
internal static class FreeAnswer
{
    public const string Respond = "respond";

    /// <summary>Returns the value of an answer, which may be given as <c>{"decision": "respond", "value": ...}</c>.</summary>
    public static JsonElement ValueOf(JsonElement answer) =>
        answer.TextProperty("decision") == Respond && (answer.Property("value") ?? answer.Property("message")) is { } value
            ? value
            : answer;

    /// <summary>Returns true if the value is one of the options, or if there are none.</summary>
    public static bool IsOption(JsonElement value, ImmutableArray<string> options) =>
        options.IsEmpty || options.Contains(JsonBytes.Display(value), StringComparer.Ordinal);

    /// <summary>Writes what is allowed as an answer into an object that is open.</summary>
    public static void WriteAllowed(Utf8JsonWriter writer, ImmutableArray<string> options, string? note)
    {
        writer.WriteStartArray("allowed"u8);
        writer.WriteStringValue(Respond);
        writer.WriteEndArray();
        if (!options.IsEmpty)
        {
            writer.WriteStartArray("options"u8);
            foreach (var option in options)
            {
                writer.WriteStringValue(option);
            }
            writer.WriteEndArray();
        }
        if (note is not null)
        {
            writer.WriteString("note"u8, note);
        }
    }

    public static string NotAnOption(JsonElement value, ImmutableArray<string> options) =>
        $"the answer {JsonBytes.Compact(value)} is not one of {string.Join(", ", options)}";
}
