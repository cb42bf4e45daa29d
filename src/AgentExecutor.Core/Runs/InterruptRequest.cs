using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Runs;

/// <summary>A question to a person. The task waits for the answer.</summary>
/// <param name="Id">Unique in the thread and stable across restarts.</param>
/// <param name="Value">The question, as the task formulated it.</param>
public sealed record InterruptRequest(string Id, JsonElement Value)
{
    public static byte[] Encode(ImmutableArray<InterruptRequest> interrupts) => JsonBytes.Write(interrupts, WriteAll);

    public static void WriteAll(Utf8JsonWriter writer, ImmutableArray<InterruptRequest> interrupts)
    {
        writer.WriteStartArray();
        foreach (var interrupt in interrupts)
        {
            writer.WriteStartObject();
            writer.WriteString("id"u8, interrupt.Id);
            writer.WritePropertyName("value"u8);
            interrupt.Value.WriteTo(writer);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    public static ImmutableArray<InterruptRequest> Decode(ReadOnlyMemory<byte> json) =>
        [
            .. StoredJson
                .Parse(json.Span)
                .EnumerateArray()
                .Select(item => new InterruptRequest(item.GetProperty("id").GetString()!, item.GetProperty("value"))),
        ];
}
