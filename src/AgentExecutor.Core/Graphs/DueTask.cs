using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Graphs;

/// <summary>A task that runs in the next superstep.</summary>
/// <param name="Node">The node to run.</param>
/// <param name="Argument">The item, if the task was created by a fan-out; otherwise undefined, and the node works on the state
/// alone.</param>
public readonly record struct DueTask(string Node, JsonElement Argument = default)
{
    private static readonly byte[] None = "[]"u8.ToArray();

    public static ReadOnlyMemory<byte> Encode(ImmutableArray<DueTask> tasks) => tasks.IsEmpty ? None : JsonBytes.Write(tasks, Write);

    public static ImmutableArray<DueTask> Decode(ReadOnlyMemory<byte> json) =>
        json.Length <= None.Length
            ? []
            :
            [
                .. StoredJson
                    .Parse(json.Span)
                    .EnumerateArray()
                    .Select(item => new DueTask(
                        item.GetProperty("node").GetString()!,
                        item.TryGetProperty("argument", out var argument) ? argument : default
                    )),
            ];

    private static void Write(Utf8JsonWriter writer, ImmutableArray<DueTask> tasks)
    {
        writer.WriteStartArray();
        foreach (var task in tasks)
        {
            writer.WriteStartObject();
            writer.WriteString("node"u8, task.Node);
            if (task.Argument.ValueKind != JsonValueKind.Undefined)
            {
                writer.WritePropertyName("argument"u8);
                task.Argument.WriteTo(writer);
            }
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }
}
