using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Channels;

/// <summary>An object. Each update sets top-level properties; a null removes the property.</summary>
public sealed class MergeChannel(string name) : JsonChannel(name)
{
    public const string KindName = "merge";

    public override string Kind => KindName;

    public override object ReadValue(JsonElement json) => json.ValueKind == JsonValueKind.Object ? json : throw Invalid(json, "an object");

    protected override JsonElement? Fold(JsonElement? value, IReadOnlyList<object> updates)
    {
        var merged = new OrderedDictionary<string, JsonElement>();
        foreach (var layer in updates.Prepend(value ?? StoredJson.Parse("{}"u8)))
        {
            foreach (var property in ((JsonElement)layer).EnumerateObject())
            {
                if (property.Value.ValueKind == JsonValueKind.Null)
                {
                    merged.Remove(property.Name);
                }
                else
                {
                    merged[property.Name] = property.Value;
                }
            }
        }
        return JsonBytes.Element(merged, Write);
    }

    private static void Write(Utf8JsonWriter writer, OrderedDictionary<string, JsonElement> properties)
    {
        writer.WriteStartObject();
        foreach (var (name, value) in properties)
        {
            writer.WritePropertyName(name);
            value.WriteTo(writer);
        }
        writer.WriteEndObject();
    }
}
