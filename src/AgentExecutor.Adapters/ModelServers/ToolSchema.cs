using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>Writes a tool's schema with the explicit type <c>object</c>, because providers reject schemas without it.</summary>
internal static class ToolSchema
{
    public static void Write(Utf8JsonWriter writer, JsonElement schema)
    {
        writer.WriteStartObject();
        if (schema.Property("type") is null)
        {
            writer.WriteString("type"u8, "object"u8);
        }
        if (schema.Property("properties") is null)
        {
            writer.WriteStartObject("properties"u8);
            writer.WriteEndObject();
        }
        foreach (var property in schema.ValueKind == JsonValueKind.Object ? schema.EnumerateObject() : default)
        {
            property.WriteTo(writer);
        }
        writer.WriteEndObject();
    }
}
