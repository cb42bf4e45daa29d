using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Events;

/// <summary>
/// Reads events that <see cref="RunEventJson"/> wrote for subscribers. The writer may have another version: an event with an unknown type
/// is null, missing fields and fields with an unexpected type have their default value, and nothing is rejected.
/// </summary>
public static class RunEventReader
{
    private static readonly ImmutableHashSet<string> StateMembers = ["ns", "checkpoint_id", "step", "nodes", "final"];

    /// <param name="threadId">The thread, which is not part of the JSON.</param>
    /// <param name="json">The event.</param>
    public static EventEnvelope? Read(string threadId, JsonElement json)
    {
        var value = InputJson.Repaired(json);
        var data = value.Property("data") ?? default;
        return ReadEvent(Text(value, "event_type"), data) is { } read
            ? new EventEnvelope(threadId, Whole(value, "seq"), Time(value), read with { Namespace = Text(data, "ns") })
            {
                Attempt = Whole(value, "attempt"),
            }
            : null;
    }

    private static RunEvent? ReadEvent(string type, JsonElement data) =>
        type switch
        {
            EventKinds.LlmStream when IsTrue(data, "superseded") => new RunEvent.LlmSuperseded(
                Text(data, "agent"),
                Text(data, "message_id"),
                Text(data, "reason")
            ),
            EventKinds.LlmStream => new RunEvent.LlmStream(
                Text(data, "agent"),
                Text(data, "message_id"),
                Text(data, "content"),
                OptionalText(data, "reasoning"),
                ReadBegunCall(data)
            ),
            EventKinds.ToolStart => new RunEvent.ToolStarted(Text(data, "agent"), ReadCall(data)),
            EventKinds.ToolProgress => new RunEvent.ToolProgress(
                Text(data, "agent"),
                ReadCall(data),
                OptionalText(data, "message"),
                data.Property("progress") is { ValueKind: JsonValueKind.Number } done ? done.GetDouble() : null,
                data.Property("total") is { ValueKind: JsonValueKind.Number } total ? total.GetDouble() : null
            ),
            EventKinds.ToolEnd => new RunEvent.ToolEnded(
                Text(data, "agent"),
                ReadCall(data),
                Text(data, "output"),
                Text(data, "status") == "error",
                Milliseconds(Real(data, "duration_ms"))
            ),
            EventKinds.StateUpdate => ReadState(data),
            EventKinds.Interrupt => new RunEvent.Interrupted(ReadInterrupts(data.Property("interrupts"))),
            EventKinds.Error => new RunEvent.Failed(ReadFailure(data)),
            EventKinds.End => new RunEvent.Ended(ReadStatus(Text(data, "status")), ReadUsage(data.Property("usage") ?? default)),
            _ => null,
        };

    /// <summary>
    /// Reads questions as <see cref="InterruptRequest.WriteAll"/> writes them. A question without an id cannot be answered and is ignored.
    /// </summary>
    public static ImmutableArray<InterruptRequest> ReadInterrupts(JsonElement? json) =>
        json is not { ValueKind: JsonValueKind.Array } list
            ? []
            : [.. list.EnumerateArray().Where(item => Text(item, "id").Length > 0).Select(InterruptRequest.Read)];

    /// <summary>Reads a failure as <see cref="RunJson.WriteFailure(System.Text.Json.Utf8JsonWriter, RunFailure)"/> writes it.</summary>
    public static RunFailure ReadFailure(JsonElement json) =>
        new(Text(json, "code"), Text(json, "message"), Text(json, "type"), OptionalText(json, "hint"));

    /// <summary>Reads the usage as <see cref="RunEventJson.WriteUsage"/> writes it.</summary>
    public static RunUsage ReadUsage(JsonElement json) =>
        new(
            Whole(json, "supersteps"),
            Whole(json, "model_calls"),
            Whole(json, "tool_calls"),
            new TokenUsage(
                Whole(json, "input_tokens"),
                Whole(json, "output_tokens"),
                Whole(json, "cached_input_tokens"),
                Whole(json, "reasoning_tokens")
            ),
            Real(json, "active_seconds")
        )
        {
            CostUsd = UsageJson.Cost(json) ?? 0,
            UnpricedCalls = UsageJson.Count(json, "unpriced_calls"),
            ByModel = UsageJson.ReadByModel(json),
        };

    /// <summary>An unknown status counts as a failure.</summary>
    private static RunStatus ReadStatus(string name) =>
        Enum.TryParse<RunStatus>(name, ignoreCase: true, out var status) && Enum.IsDefined(status) ? status : RunStatus.Failed;

    /// <summary>The members of the update itself come first, once each; all other members are channels.</summary>
    private static RunEvent.StateUpdated ReadState(JsonElement data)
    {
        var (own, changes) = (new Dictionary<string, JsonElement>(), ImmutableArray.CreateBuilder<ChannelUpdate>());
        foreach (var member in data.ValueKind == JsonValueKind.Object ? data.EnumerateObject() : default)
        {
            if (StateMembers.Contains(member.Name) && own.TryAdd(member.Name, member.Value))
            {
                continue;
            }
            changes.Add(new ChannelUpdate(member.Name, [JsonMarshal.GetRawUtf8Value(member.Value).ToArray()]));
        }
        return new RunEvent.StateUpdated(
            TextOf(own.GetValueOrDefault("checkpoint_id")) ?? "",
            (int)WholeOf(own.GetValueOrDefault("step")),
            ReadNodes(own.GetValueOrDefault("nodes")),
            changes.DrainToImmutable(),
            IsFinal: own.GetValueOrDefault("final").ValueKind == JsonValueKind.True
        );
    }

    private static ImmutableArray<string> ReadNodes(JsonElement nodes) =>
        nodes.ValueKind == JsonValueKind.Array ? [.. nodes.EnumerateArray().Select(TextOf).OfType<string>()] : [];

    /// <summary>Arguments that are missing because they were too long are undefined.</summary>
    private static ToolCall ReadCall(JsonElement data) =>
        new(Text(data, "tool_call_id"), Text(data, "name"), data.Property("args") ?? default);

    private static ToolCall? ReadBegunCall(JsonElement data) =>
        data.Property("tool_call") is { } call ? MessageJson.ReadToolCall(call) : null;

    private static string Text(JsonElement json, string name) => OptionalText(json, name) ?? "";

    private static string? OptionalText(JsonElement json, string name) => json.Property(name) is { } value ? TextOf(value) : null;

    private static string? TextOf(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static bool IsTrue(JsonElement json, string name) => json.Property(name)?.ValueKind == JsonValueKind.True;

    private static long Whole(JsonElement json, string name) => json.Property(name) is { } value ? WholeOf(value) : 0;

    private static long WholeOf(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) ? number : 0;

    private static double Real(JsonElement json, string name) =>
        json.Property(name) is { ValueKind: JsonValueKind.Number } value && value.TryGetDouble(out var number) && double.IsFinite(number)
            ? number
            : 0;

    /// <summary>Limits the value to the range of a time span.</summary>
    private static TimeSpan Milliseconds(double count) =>
        TimeSpan.FromMilliseconds(Math.Clamp(count, 0, TimeSpan.FromDays(36_500).TotalMilliseconds));

    private static DateTimeOffset Time(JsonElement json) =>
        DateTimeOffset.TryParse(Text(json, "ts"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time
            : default;
}
