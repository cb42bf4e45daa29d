using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Messaging;

/// <summary>How stores keep the headers of messages: a JSON list of names and values in turn, for a name may come twice.</summary>
public static class HeaderJson
{
    public static string Write(ImmutableArray<KeyValuePair<string, string>> headers) => headers.IsEmpty ? "[]" : JsonBytes.WriteText(headers, static (writer, it) =>
    {
        writer.WriteStartArray();
        foreach (var (name, value) in it)
        {
            writer.WriteStringValue(name);
            writer.WriteStringValue(value);
        }
        writer.WriteEndArray();
    });

    public static ImmutableArray<KeyValuePair<string, string>> Read(string json) => json == "[]" ? [] :
        [.. JsonElement.Parse(json).EnumerateArray().Select(it => it.GetString()!).Chunk(2).Select(it => KeyValuePair.Create(it[0], it[1]))];
}
