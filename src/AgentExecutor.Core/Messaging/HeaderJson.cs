using System.Collections.Immutable;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Messaging;

/// <summary>
/// Writes and reads message headers for stores: a JSON list that alternates names and values, because a name may appear twice.
/// </summary>
public static class HeaderJson
{
    public static string Write(ImmutableArray<KeyValuePair<string, string>> headers) =>
        headers.IsEmpty
            ? "[]"
            : JsonBytes.WriteText(
                headers,
                static (writer, it) =>
                {
                    writer.WriteStartArray();
                    foreach (var (name, value) in it)
                    {
                        writer.WriteStringValue(name);
                        writer.WriteStringValue(value);
                    }
                    writer.WriteEndArray();
                }
            );

    public static ImmutableArray<KeyValuePair<string, string>> Read(string json) =>
        json == "[]"
            ? []
            :
            [
                .. StoredJson
                    .Parse(json)
                    .EnumerateArray()
                    .Select(it => it.GetString()!)
                    .Chunk(2)
                    .Select(it => KeyValuePair.Create(it[0], it[1])),
            ];
}
