using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Channels;

internal static class JsonArrays
{
    public static JsonElement Of(IEnumerable<JsonElement> items) =>
        JsonBytes.Element(
            items,
            static (writer, items) =>
            {
                writer.WriteStartArray();
                foreach (var item in items)
                {
                    item.WriteTo(writer);
                }
                writer.WriteEndArray();
            }
        );
}
