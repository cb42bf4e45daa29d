using System.Text.Json;

namespace AgentExecutor.Core.Json;

/// <summary>Copies JSON with each of its string values (but not the names of properties) replaced.</summary>
internal static class JsonTexts
{
    public static JsonElement Replace(JsonElement json, Action<Utf8JsonWriter, string> writeText) =>
        JsonBytes.Element((json, writeText), static (writer, it) => Write(writer, it.json, it.writeText));

    public static IEnumerable<string> Of(JsonElement json) =>
        json.ValueKind switch
        {
            JsonValueKind.String => [WellFormedText.Of(json)],
            JsonValueKind.Array => json.EnumerateArray().SelectMany(Of),
            JsonValueKind.Object => json.EnumerateObject().SelectMany(property => Of(property.Value)),
            _ => [],
        };

    private static void Write(Utf8JsonWriter writer, JsonElement json, Action<Utf8JsonWriter, string> writeText)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.String:
                writeText(writer, WellFormedText.Of(json));
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (var item in json.EnumerateArray())
                {
                    Write(writer, item, writeText);
                }
                writer.WriteEndArray();
                break;
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (var property in json.EnumerateObject())
                {
                    writer.WritePropertyName(property.Name);
                    Write(writer, property.Value, writeText);
                }
                writer.WriteEndObject();
                break;
            default:
                json.WriteTo(writer);
                break;
        }
    }
}
