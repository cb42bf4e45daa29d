using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Events;

/// <summary>
/// Events as JSON: <c>{"event_type", "data", "seq", "ts", "attempt"}</c>. The data of a sub-agent's event also has the field <c>ns</c>.
/// </summary>
public static class RunEventJson
{
    /// <summary>
    /// The maximum size of a tool's arguments (in bytes of JSON) and output (in characters) in an event. Longer ones are only available in
    /// the thread's messages, under their tool_call_id, because events are stored and sent to every subscriber.
    /// </summary>
    private const int MaxInlineLength = 1024;

    /// <summary>The field of a logged state update that lists the channels published as a whole. Subscribers do not see it.</summary>
    public const string WholeMember = "whole";

    /// <summary>
    /// Returns true if the event is stored in the log. Chunks are not, because the message that they form is part of the state.
    /// </summary>
    public static bool IsLogged(RunEvent value) => value is not (RunEvent.LlmStream or RunEvent.LlmSuperseded);

    public static void Write(Utf8JsonWriter writer, EventEnvelope envelope) => Write(writer, envelope, StreamState.Updates);

    /// <summary>Encodes the event for subscribers.</summary>
    public static StreamEvent Encode(EventEnvelope envelope, StreamState state) =>
        new(
            envelope.Sequence,
            TypeOf(envelope.Event),
            JsonBytes.Write((envelope, state), static (writer, it) => Write(writer, it.envelope, it.state))
        )
        {
            Attempt = envelope.Attempt,
        };

    /// <summary>
    /// Writes the event for the log. A state update only refers to its checkpoint, which already contains the changes, and lists the delta
    /// channels that were published as a whole. Everything else is written as in <see cref="Write(Utf8JsonWriter, EventEnvelope)"/>.
    /// </summary>
    public static void WriteLogged(Utf8JsonWriter writer, EventEnvelope envelope) => Write(writer, envelope, null);

    /// <param name="writer">The writer.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="state">What a state update contains; null if it contains no channels.</param>
    private static void Write(Utf8JsonWriter writer, EventEnvelope envelope, StreamState? state)
    {
        writer.WriteStartObject();
        writer.WriteString("event_type"u8, TypeOf(envelope.Event));
        writer.WriteStartObject("data"u8);
        if (envelope.Event.Namespace.Length > 0)
        {
            writer.WriteString("ns"u8, envelope.Event.Namespace);
        }
        WriteData(writer, envelope.Event, state);
        writer.WriteEndObject();
        writer.WriteNumber("seq"u8, envelope.Sequence);
        writer.WriteString("ts"u8, envelope.Time);
        if (envelope.Attempt > 0)
        {
            writer.WriteNumber("attempt"u8, envelope.Attempt);
        }
        writer.WriteEndObject();
    }

    public static string TypeOf(RunEvent value) =>
        value switch
        {
            RunEvent.LlmStream or RunEvent.LlmSuperseded => EventKinds.LlmStream,
            RunEvent.ToolStarted => EventKinds.ToolStart,
            RunEvent.ToolProgress => EventKinds.ToolProgress,
            RunEvent.ToolEnded => EventKinds.ToolEnd,
            RunEvent.StateUpdated => EventKinds.StateUpdate,
            RunEvent.Interrupted => EventKinds.Interrupt,
            RunEvent.Failed => EventKinds.Error,
            RunEvent.Ended => EventKinds.End,
            _ => throw new InvalidOperationException($"no wire name for {value.GetType().Name}"),
        };

    private static void WriteData(Utf8JsonWriter writer, RunEvent value, StreamState? state)
    {
        switch (value)
        {
            case RunEvent.LlmStream chunk:
                WriteChunk(writer, chunk);
                break;
            case RunEvent.LlmSuperseded superseded:
                WriteAgent(writer, superseded.Agent, superseded.MessageId);
                writer.WriteBoolean("superseded"u8, true);
                writer.WriteString("reason"u8, superseded.Reason);
                break;
            case RunEvent.ToolStarted started:
                WriteCall(writer, started.Agent, started.Call);
                break;
            case RunEvent.ToolProgress progress:
                WriteProgress(writer, progress);
                break;
            case RunEvent.ToolEnded ended:
                var isTruncated = WriteCall(writer, ended.Agent, ended.Call);
                WriteOutput(writer, ended.Content, isTruncated);
                writer.WriteString("status"u8, ended.IsError ? "error"u8 : "success"u8);
                writer.WriteNumber("duration_ms"u8, Math.Round(ended.Duration.TotalMilliseconds, 3));
                break;
            case RunEvent.StateUpdated updated:
                WriteState(writer, updated, state);
                break;
            case RunEvent.Interrupted interrupted:
                writer.WritePropertyName("interrupts"u8);
                InterruptRequest.WriteAll(writer, interrupted.Interrupts);
                break;
            case RunEvent.Failed failed:
                RunJson.WriteFailure(writer, failed.Failure);
                break;
            case RunEvent.Ended end:
                writer.WriteString("status"u8, end.Status.ToString().ToLowerInvariant());
                writer.WritePropertyName("usage"u8);
                WriteUsage(writer, end.Usage);
                break;
        }
    }

    private static void WriteChunk(Utf8JsonWriter writer, RunEvent.LlmStream chunk)
    {
        WriteAgent(writer, chunk.Agent, chunk.MessageId);
        writer.WriteString("content"u8, chunk.Text);
        if (chunk.Reasoning is not null)
        {
            writer.WriteString("reasoning"u8, chunk.Reasoning);
        }
        if (chunk.ToolCall is { } call)
        {
            writer.WritePropertyName("tool_call"u8);
            MessageJson.WriteToolCall(writer, call);
        }
    }

    private static void WriteAgent(Utf8JsonWriter writer, string agent, string messageId)
    {
        writer.WriteString("agent"u8, agent);
        writer.WriteString("message_id"u8, messageId);
    }

    /// <summary>Writes a tool call. Returns true if the arguments are too long and were replaced by <c>truncated</c>.</summary>
    private static bool WriteCall(Utf8JsonWriter writer, string agent, ToolCall call)
    {
        writer.WriteString("agent"u8, agent);
        writer.WriteString("tool_call_id"u8, call.Id);
        writer.WriteString("name"u8, call.Name);
        var arguments = JsonBytes.Of(call.Arguments);
        if (arguments.Length > MaxInlineLength)
        {
            writer.WriteBoolean("truncated"u8, true);
            return true;
        }
        writer.WritePropertyName("args"u8);
        writer.WriteRawValue(arguments, skipInputValidation: true);
        return false;
    }

    private static void WriteProgress(Utf8JsonWriter writer, RunEvent.ToolProgress progress)
    {
        writer.WriteString("agent"u8, progress.Agent);
        writer.WriteString("tool_call_id"u8, progress.Call.Id);
        writer.WriteString("name"u8, progress.Call.Name);
        if (progress.Message is { } message)
        {
            writer.WriteString("message"u8, WellFormedText.Start(message, MaxInlineLength));
        }
        if (progress.Progress is { } done)
        {
            writer.WriteNumber("progress"u8, done);
        }
        if (progress.Total is { } total)
        {
            writer.WriteNumber("total"u8, total);
        }
    }

    private static void WriteOutput(Utf8JsonWriter writer, string output, bool isTruncated)
    {
        if (output.Length <= MaxInlineLength)
        {
            writer.WriteString("output"u8, output);
            return;
        }
        var length = char.IsHighSurrogate(output[MaxInlineLength - 1]) ? MaxInlineLength - 1 : MaxInlineLength; // do not split a pair
        writer.WriteString("output"u8, output.AsSpan(0, length));
        if (!isTruncated)
        {
            writer.WriteBoolean("truncated"u8, true);
        }
    }

    private static void WriteState(Utf8JsonWriter writer, RunEvent.StateUpdated updated, StreamState? state)
    {
        writer.WriteString("checkpoint_id"u8, updated.CheckpointId);
        writer.WriteNumber("step"u8, updated.Step);
        writer.WriteStartArray("nodes"u8);
        foreach (var node in updated.Nodes)
        {
            writer.WriteStringValue(node);
        }
        writer.WriteEndArray();
        writer.WriteBoolean("final"u8, updated.IsFinal);
        if (state is { } form)
        {
            WriteChannels(writer, updated.ChannelsAs(form));
        }
        else
        {
            WriteWhole(writer, updated.Changes);
        }
    }

    /// <summary>Writes a state update from the log with the channels that it contained when it was published.</summary>
    public static void WriteReplayed(Utf8JsonWriter writer, JsonElement logged, ImmutableArray<ChannelUpdate> channels)
    {
        writer.WriteStartObject();
        foreach (var property in logged.EnumerateObject())
        {
            if (!property.NameEquals("data"u8))
            {
                property.WriteTo(writer);
                continue;
            }
            writer.WriteStartObject("data"u8);
            foreach (var member in property.Value.EnumerateObject().Where(static member => !member.NameEquals(WholeMember)))
            {
                member.WriteTo(writer);
            }
            WriteChannels(writer, channels);
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    }

    private static void WriteChannels(Utf8JsonWriter writer, ImmutableArray<ChannelUpdate> channels)
    {
        foreach (var (channel, json) in channels)
        {
            writer.WritePropertyName(channel);
            WriteJoined(writer, channel == AgentState.Messages ? [.. json.Select(ThinkingBlockJson.Without)] : json);
        }
    }

    /// <summary>
    /// Lists the delta channels that were published as a whole, because this cannot be derived from the stored checkpoint.
    /// </summary>
    private static void WriteWhole(Utf8JsonWriter writer, ImmutableArray<ChannelUpdate> changes)
    {
        if (!changes.Any(static change => change.IsWhole))
        {
            return;
        }
        writer.WriteStartArray(WholeMember);
        foreach (var change in changes)
        {
            if (change.IsWhole)
            {
                writer.WriteStringValue(change.Channel);
            }
        }
        writer.WriteEndArray();
    }

    /// <summary>Joins the values of several tasks: lists become one list, objects become one object.</summary>
    private static void WriteJoined(Utf8JsonWriter writer, ImmutableArray<ReadOnlyMemory<byte>> parts)
    {
        if (parts.Length == 1)
        {
            writer.WriteRawValue(parts[0].Span, skipInputValidation: true);
            return;
        }
        var elements = parts.Select(part => StoredJson.Parse(part.Span)).ToList();
        if (elements.TrueForAll(element => element.ValueKind == JsonValueKind.Object))
        {
            writer.WriteStartObject();
            foreach (var property in elements.SelectMany(element => element.EnumerateObject()).GroupBy(property => property.Name))
            {
                property.Last().WriteTo(writer);
            }
            writer.WriteEndObject();
            return;
        }
        writer.WriteStartArray();
        foreach (
            var item in elements.SelectMany(element =>
                element.ValueKind == JsonValueKind.Array ? element.EnumerateArray() : (IEnumerable<JsonElement>)[element]
            )
        )
        {
            item.WriteTo(writer);
        }
        writer.WriteEndArray();
    }

    public static void WriteUsage(Utf8JsonWriter writer, RunUsage usage)
    {
        writer.WriteStartObject();
        writer.WriteNumber("supersteps"u8, usage.Supersteps);
        writer.WriteNumber("model_calls"u8, usage.ModelCalls);
        writer.WriteNumber("tool_calls"u8, usage.ToolCalls);
        writer.WriteNumber("input_tokens"u8, usage.Tokens.Input);
        writer.WriteNumber("output_tokens"u8, usage.Tokens.Output);
        writer.WriteNumber("cached_input_tokens"u8, usage.Tokens.CachedInput);
        writer.WriteNumber("reasoning_tokens"u8, usage.Tokens.Reasoning);
        writer.WriteNumber("active_seconds"u8, Math.Round(usage.ActiveSeconds, 3));
        UsageJson.WriteCost(writer, usage);
        writer.WriteEndObject();
    }
}
