using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.ModelProviders.Scripted;

/// <summary>
/// The turns of a scripted model. A call takes the first turn whose <c>when</c> holds; where none does, the turns without
/// <c>when</c> in order, one an answer. The choice depends on the conversation alone, so a call that is repeated answers the same.
/// </summary>
public sealed record Script(IReadOnlyList<ScriptTurn> Turns)
{
    private static readonly string[] TurnFields =
        ["when", "text", "reasoning", "tool_calls", "chunk_size", "delay_ms", "chunk_delay_ms", "usage", "error", "comment"];

    private static readonly string[] WhenFields = ["agent", "turn", "last_tool", "last_contains", "last_matches", "user_contains"];

    public static Script Read(JsonElement json) => new([.. TurnsOf(json).Select(ReadTurn)]);

    public static IEnumerable<ModelFault> Check(JsonElement json)
    {
        if (json.ValueKind is not (JsonValueKind.Array or JsonValueKind.Object) || !TurnsOf(json).Any())
        {
            return [new ModelFault("script", "a scripted model needs its turns", """write "script": [{"text": "..."}], or run with --script FILE""")];
        }
        return TurnsOf(json).SelectMany((turn, index) => CheckTurn(turn, $"script[{index}]"));
    }

    private static IEnumerable<JsonElement> TurnsOf(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Array => json.EnumerateArray(),
        JsonValueKind.Object when json.Property("turns") is { ValueKind: JsonValueKind.Array } turns => turns.EnumerateArray(),
        _ => [],
    };

    private static IEnumerable<ModelFault> CheckTurn(JsonElement turn, string path)
    {
        if (turn.ValueKind != JsonValueKind.Object)
        {
            yield return new ModelFault(path, "a turn is an object", """write {"text": "..."} or {"tool_calls": [...]}""");
            yield break;
        }
        foreach (var field in turn.EnumerateObject().Where(field => !TurnFields.Contains(field.Name)))
        {
            yield return new ModelFault($"{path}.{field.Name}", "a turn has no such field", $"known are {string.Join(", ", TurnFields)}");
        }
        if (turn.Property("text") is null && turn.Property("tool_calls") is null && turn.Property("error") is null)
        {
            yield return new ModelFault(path, "a turn says nothing", "give it text, tool_calls or error");
        }
        if (turn.Property("when") is { } when)
        {
            foreach (var field in when.EnumerateObject().Where(field => !WhenFields.Contains(field.Name)))
            {
                yield return new ModelFault($"{path}.when.{field.Name}", "a condition has no such field", $"known are {string.Join(", ", WhenFields)}");
            }
        }
        if (turn.Property("error") is { } error && ScriptError.KnownClass(error.TextProperty("class")) is false)
        {
            yield return new ModelFault($"{path}.error.class", "there is no such class of error", $"use one of {string.Join(", ", ScriptError.Classes)}");
        }
        var calls = turn.Property("tool_calls") is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray().ToArray() : [];
        for (var i = 0; i < calls.Length; i++)
        {
            if (calls[i].TextProperty("name") is null)
            {
                yield return new ModelFault($"{path}.tool_calls[{i}].name", "a tool call names its tool", """write {"name": "...", "args": {...}}""");
            }
        }
    }

    private static ScriptTurn ReadTurn(JsonElement json) => new()
    {
        When = json.Property("when") is { } when ? ReadCondition(when) : null,
        Text = json.TextProperty("text") ?? "",
        Reasoning = json.TextProperty("reasoning"),
        ToolCalls = json.Property("tool_calls") is { ValueKind: JsonValueKind.Array } calls ? [.. calls.EnumerateArray().Select(ReadCall)] : [],
        ChunkSize = Math.Max(1, Number(json, "chunk_size") ?? 24),
        Delay = TimeSpan.FromMilliseconds(Number(json, "delay_ms") ?? 0),
        ChunkDelay = TimeSpan.FromMilliseconds(Number(json, "chunk_delay_ms") ?? 0),
        Usage = json.Property("usage") is { } usage ? MessageJson.ReadUsage(usage) : null,
        Error = json.Property("error") is { } error ? ScriptError.Read(error) : null,
    };

    private static ScriptCondition ReadCondition(JsonElement json) => new(
        json.TextProperty("agent"),
        Number(json, "turn"),
        json.TextProperty("last_tool"),
        json.TextProperty("last_contains"),
        json.TextProperty("last_matches"),
        json.TextProperty("user_contains"));

    private static ScriptCall ReadCall(JsonElement json) =>
        new(json.TextProperty("id"), json.TextProperty("name") ?? "", json.Property("args") ?? JsonElement.Parse("{}"u8));

    private static int? Number(JsonElement json, string name) =>
        json.Property(name) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var value) ? value : null;
}

/// <summary>One answer of a scripted model.</summary>
public sealed record ScriptTurn
{
    public ScriptCondition? When { get; init; }

    public string Text { get; init; } = "";

    public string? Reasoning { get; init; }

    public IReadOnlyList<ScriptCall> ToolCalls { get; init; } = [];

    /// <summary>Characters a chunk when streaming.</summary>
    public int ChunkSize { get; init; }

    /// <summary>How long it takes to the first chunk.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>How long from one chunk to the next.</summary>
    public TimeSpan ChunkDelay { get; init; }

    /// <summary>The tokens to report; else about a quarter of the characters.</summary>
    public TokenUsage? Usage { get; init; }

    public ScriptError? Error { get; init; }
}

/// <summary>When a turn is taken; every part that is given must hold.</summary>
/// <param name="Agent">The agent that speaks.</param>
/// <param name="Turn">How many answers the conversation holds.</param>
/// <param name="LastTool">The tool whose result came last.</param>
/// <param name="LastContains">A text in the last message.</param>
/// <param name="LastMatches">A regular expression that the last message matches.</param>
/// <param name="UserContains">A text in the last user message.</param>
public sealed record ScriptCondition(
    string? Agent, int? Turn, string? LastTool, string? LastContains, string? LastMatches, string? UserContains);

/// <summary>A tool call of a turn; texts in <paramref name="Arguments"/> may quote.</summary>
public sealed record ScriptCall(string? Id, string Name, JsonElement Arguments);
