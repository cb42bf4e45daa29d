using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Sessions;

/// <summary>
/// The outcome of a run as UTF-8 JSON, the <c>data</c> of the event that announces it: <c>{job_id, result: {output, status, files?, todos?,
/// structured_response?, usage}}</c>, <c>{job_id, error: {message, type, code}}</c>, <c>{job_id, status: "cancelled"}</c>, or <c>{job_id,
/// interrupts: [...]}</c>.
/// </summary>
public static class RunResult
{
    /// <summary>
    /// A shortened outcome has at most this many large fields, so each field gets at most this fraction of the space.
    /// </summary>
    private const int FieldShare = 4;

    /// <summary>The minimum number of bytes for an item. It is three times what the id of an interrupt needs.</summary>
    private const int MinItemBytes = 1_200;

    /// <summary>Returns true if a run with this status has an outcome to publish.</summary>
    public static bool IsOutcome(RunStatus status) =>
        status is RunStatus.Completed or RunStatus.Failed or RunStatus.Cancelled or RunStatus.Interrupted;

    /// <param name="run">The run in its final state.</param>
    /// <param name="after">The state update that completed the run, or null.</param>
    /// <param name="events">The events of its last transition.</param>
    public static byte[] Encode(Run run, RunEvent? after, ImmutableArray<RunEvent> events) =>
        Encode(run, (after as RunEvent.StateUpdated)?.Final, [.. events.OfType<RunEvent.Interrupted>().SelectMany(it => it.Interrupts)]);

    /// <param name="run">The run.</param>
    /// <param name="state">The state of the run, or null if there is none.</param>
    /// <param name="open">The interrupts that wait for an answer.</param>
    public static byte[] Encode(Run run, ChannelState? state, ImmutableArray<InterruptRequest> open) =>
        JsonBytes.Write((run, state, open), static (writer, it) => Write(writer, it.run, it.state, it.open));

    /// <summary>
    /// Returns a shortened form of an outcome that is too large: texts are cut, large lists and objects are replaced by null, and the field
    /// <c>truncated</c> is true. The result has at most twice as many bytes as requested.
    /// </summary>
    public static byte[] Shortened(ReadOnlyMemory<byte> json, int bytes) =>
        JsonBytes.Write(
            (StoredJson.Parse(json.Span), bytes),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                var isMarked = false;
                foreach (var part in it.Item1.EnumerateObject())
                {
                    writer.WritePropertyName(part.Name);
                    if (part.Value.ValueKind == JsonValueKind.Object)
                    {
                        WriteShortenedFields(writer, part.Value, it.bytes, isTruncated: true);
                        isMarked = true;
                    }
                    else if (part.Value.ValueKind == JsonValueKind.Array)
                    {
                        WriteShortenedItems(writer, part.Value, it.bytes);
                    }
                    else
                    {
                        WriteShortened(writer, part.Value, it.bytes);
                    }
                }
                if (!isMarked)
                {
                    writer.WriteBoolean("truncated"u8, true);
                }
                writer.WriteEndObject();
            }
        );

    private static void WriteShortenedFields(Utf8JsonWriter writer, JsonElement value, int bytes, bool isTruncated)
    {
        writer.WriteStartObject();
        foreach (var field in value.EnumerateObject())
        {
            writer.WritePropertyName(field.Name);
            WriteShortened(writer, field.Value, bytes / FieldShare);
        }
        if (isTruncated)
        {
            writer.WriteBoolean("truncated"u8, true);
        }
        writer.WriteEndObject();
    }

    /// <summary>Shortens the interrupts. Their ids are kept, because interrupts cannot be answered without them.</summary>
    private static void WriteShortenedItems(Utf8JsonWriter writer, JsonElement items, int bytes)
    {
        var each = bytes / Math.Max(1, items.GetArrayLength());
        if (each < MinItemBytes)
        {
            writer.WriteNullValue();
            return;
        }
        writer.WriteStartArray();
        foreach (var item in items.EnumerateArray())
        {
            if (item.ValueKind == JsonValueKind.Object)
            {
                WriteShortenedFields(writer, item, each, isTruncated: false);
            }
            else
            {
                WriteShortened(writer, item, each);
            }
        }
        writer.WriteEndArray();
    }

    /// <summary>Shortens a value. A character takes at most six bytes as JSON.</summary>
    private static void WriteShortened(Utf8JsonWriter writer, JsonElement value, int bytes)
    {
        if (value.GetRawText().Length * 3L <= bytes)
        {
            value.WriteTo(writer);
        }
        else if (value.ValueKind == JsonValueKind.String && WellFormedText.Of(value) is { } text)
        {
            var kept = Math.Min(text.Length, bytes / 6);
            writer.WriteStringValue(text.AsSpan(0, kept > 0 && char.IsHighSurrogate(text[kept - 1]) ? kept - 1 : kept));
        }
        else
        {
            writer.WriteNullValue();
        }
    }

    private static void Write(Utf8JsonWriter writer, Run run, ChannelState? state, ImmutableArray<InterruptRequest> open)
    {
        writer.WriteStartObject();
        writer.WriteString("job_id"u8, run.RunId);
        switch (run.Status)
        {
            case RunStatus.Completed:
                writer.WriteStartObject("result"u8);
                WriteState(writer, state);
                writer.WriteString("status"u8, "completed"u8);
                writer.WritePropertyName("usage"u8);
                RunEventJson.WriteUsage(writer, run.Usage);
                writer.WriteEndObject();
                break;
            case RunStatus.Failed:
                writer.WriteStartObject("error"u8);
                RunJson.WriteFailure(writer, run.Failure!);
                writer.WriteEndObject();
                break;
            case RunStatus.Cancelled:
                writer.WriteString("status"u8, "cancelled"u8);
                break;
            case RunStatus.Interrupted:
                writer.WritePropertyName("interrupts"u8);
                InterruptRequest.WriteAll(writer, open);
                break;
        }
        writer.WriteEndObject();
    }

    private static void WriteState(Utf8JsonWriter writer, ChannelState? state)
    {
        writer.WriteString("output"u8, state?.Get<MessageLog>(MessagesChannel.DefaultName)?.Last?.Text ?? "");
        foreach (var name in state is null ? [] : (string[])[AgentState.Files, AgentState.Todos, AgentState.StructuredResponse])
        {
            var index = state!.Channels.IndexOf(name);
            if (index >= 0 && state.Slots[index].Value is { } value)
            {
                writer.WritePropertyName(name);
                writer.WriteRawValue(state.Channels[index].EncodeValue(value), skipInputValidation: true);
            }
        }
    }
}
