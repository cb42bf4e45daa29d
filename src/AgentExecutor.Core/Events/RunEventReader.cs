using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Text.Unicode;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Events;

/// <summary>
/// Reads events as <see cref="RunEventJson"/> writes them for those who watch. The writer may be of another version: a type that is not known gives null, and what is missing
/// or of another kind its default; nothing is refused.
/// </summary>
public static partial class RunEventReader
{
    private static readonly ImmutableHashSet<string> StateMembers = ["ns", "checkpoint_id", "step", "nodes", "final"];

    /// <param name="threadId">The thread, which the JSON does not name.</param>
    public static EventEnvelope? Read(string threadId, JsonElement json)
    {
        var told = Mended(json);
        var data = told.Property("data") ?? default;
        return ReadEvent(Text(told, "event_type"), data) is { } read
            ? new EventEnvelope(threadId, Whole(told, "seq"), Time(told), read with { Namespace = Text(data, "ns") })
            : null;
    }

    private static RunEvent? ReadEvent(string type, JsonElement data) => type switch
    {
        EventKinds.LlmStream when IsTrue(data, "superseded") => new RunEvent.LlmSuperseded(Text(data, "agent"), Text(data, "message_id"), Text(data, "reason")),
        EventKinds.LlmStream => new RunEvent.LlmStream(Text(data, "agent"), Text(data, "message_id"), Text(data, "content"), OptionalText(data, "reasoning"), ReadBegunCall(data)),
        EventKinds.ToolStart => new RunEvent.ToolStarted(Text(data, "agent"), ReadCall(data)),
        EventKinds.ToolEnd => new RunEvent.ToolEnded(
            Text(data, "agent"), ReadCall(data), Text(data, "output"), Text(data, "status") == "error", Milliseconds(Real(data, "duration_ms"))),
        EventKinds.StateUpdate => ReadState(data),
        EventKinds.Interrupt => new RunEvent.Interrupted(ReadInterrupts(data.Property("interrupts"))),
        EventKinds.Error => new RunEvent.Failed(ReadFailure(data)),
        EventKinds.End => new RunEvent.Ended(ReadStatus(Text(data, "status")), ReadUsage(data.Property("usage") ?? default)),
        _ => null,
    };

    /// <summary>Questions as <see cref="InterruptRequest.WriteAll"/> writes them; one without an id cannot be answered, and is passed over.</summary>
    public static ImmutableArray<InterruptRequest> ReadInterrupts(JsonElement? json) => json is not { ValueKind: JsonValueKind.Array } list
        ? []
        : [.. list.EnumerateArray().Where(item => Text(item, "id").Length > 0).Select(item => new InterruptRequest(Text(item, "id"), item.Property("value") ?? JsonElement.Parse("null"u8)))];

    /// <summary>A failure as <see cref="RunEventJson.WriteFailure"/> writes it.</summary>
    public static RunFailure ReadFailure(JsonElement json) => new(Text(json, "code"), Text(json, "message"), Text(json, "type"), OptionalText(json, "hint"));

    /// <summary>What was used, as <see cref="RunEventJson.WriteUsage"/> writes it.</summary>
    public static RunUsage ReadUsage(JsonElement json) => new(
        Whole(json, "supersteps"),
        Whole(json, "model_calls"),
        Whole(json, "tool_calls"),
        new TokenUsage(Whole(json, "input_tokens"), Whole(json, "output_tokens"), Whole(json, "cached_input_tokens"), Whole(json, "reasoning_tokens")),
        Real(json, "active_seconds"))
    {
        CostUsd = UsageJson.Cost(json) ?? 0,
        UnpricedCalls = UsageJson.Count(json, "unpriced_calls"),
        ByModel = UsageJson.ReadByModel(json),
    };

    /// <summary>An end of a kind that is not known is no success.</summary>
    private static RunStatus ReadStatus(string name) => Enum.TryParse<RunStatus>(name, ignoreCase: true, out var status) && Enum.IsDefined(status) ? status : RunStatus.Failed;

    /// <summary>Its own members come first, once each; all others are channels.</summary>
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
            TextOf(own.GetValueOrDefault("checkpoint_id")) ?? "", (int)WholeOf(own.GetValueOrDefault("step")), ReadNodes(own.GetValueOrDefault("nodes")), changes.DrainToImmutable(),
            IsFinal: own.GetValueOrDefault("final").ValueKind == JsonValueKind.True);
    }

    private static ImmutableArray<string> ReadNodes(JsonElement nodes) =>
        nodes.ValueKind == JsonValueKind.Array ? [.. nodes.EnumerateArray().Select(TextOf).OfType<string>()] : [];

    /// <summary>Arguments that are missing, for they were too long to tell, are undefined.</summary>
    private static ToolCall ReadCall(JsonElement data) => new(Text(data, "tool_call_id"), Text(data, "name"), data.Property("args") ?? default);

    private static ToolCall? ReadBegunCall(JsonElement data) => data.Property("tool_call") is { } call ? MessageJson.ReadToolCall(call) : null;

    private static string Text(JsonElement json, string name) => OptionalText(json, name) ?? "";

    private static string? OptionalText(JsonElement json, string name) => json.Property(name) is { } value ? TextOf(value) : null;

    private static string? TextOf(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>Half a character is JSON, escaped, and no text: it is replaced before anything reads it.</summary>
    private static JsonElement Mended(JsonElement json)
    {
        var raw = JsonMarshal.GetRawUtf8Value(json);
        return Utf8.IsValid(raw) && raw.IndexOf("\\ud"u8) < 0 && raw.IndexOf("\\uD"u8) < 0
            ? json
            : JsonElement.Parse(Escape().Replace(Encoding.UTF8.GetString(raw), static escape => escape.Groups["half"].Success ? "\\ufffd" : escape.Value));
    }

    [GeneratedRegex("""\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?<half>u[dD][89a-fA-F]..)|.)""")]
    private static partial Regex Escape();

    private static bool IsTrue(JsonElement json, string name) => json.Property(name)?.ValueKind == JsonValueKind.True;

    private static long Whole(JsonElement json, string name) => json.Property(name) is { } value ? WholeOf(value) : 0;

    private static long WholeOf(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) ? number : 0;

    private static double Real(JsonElement json, string name) =>
        json.Property(name) is { ValueKind: JsonValueKind.Number } value && value.TryGetDouble(out var number) && double.IsFinite(number) ? number : 0;

    /// <summary>Within what a time span holds.</summary>
    private static TimeSpan Milliseconds(double count) => TimeSpan.FromMilliseconds(Math.Clamp(count, 0, TimeSpan.FromDays(36_500).TotalMilliseconds));

    private static DateTimeOffset Time(JsonElement json) =>
        DateTimeOffset.TryParse(Text(json, "ts"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : default;
}
