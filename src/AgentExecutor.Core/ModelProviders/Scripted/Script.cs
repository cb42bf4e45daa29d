using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Schemas;

namespace AgentExecutor.Core.ModelProviders.Scripted;

/// <summary>
/// The turns of a scripted model. A call takes the first turn whose <c>when</c> holds; where none does, the turns without
/// <c>when</c> in order, one an answer. The choice depends on the conversation alone, so a call that is repeated answers the same.
/// </summary>
public sealed record Script(IReadOnlyList<ScriptTurn> Turns)
{
    private static readonly JsonElement Schema = JsonElement.Parse(
        """
        {"type": "array", "minItems": 1, "items": {
          "type": "object", "additionalProperties": false, "anyOf": [{"required": ["text"]}, {"required": ["tool_calls"]}, {"required": ["error"]}],
          "properties": {
            "when": {"type": "object", "additionalProperties": false, "properties": {
              "agent": {"type": "string"}, "turn": {"type": "integer"}, "last_tool": {"type": "string"}, "last_contains": {"type": "string"},
              "last_matches": {"type": "string"}, "user_contains": {"type": "string"}}},
            "text": {"type": "string"},
            "reasoning": {"type": "string"},
            "tool_calls": {"type": "array", "items": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
              "id": {"type": "string", "minLength": 1}, "name": {"type": "string"}, "args": true}}},
            "chunk_size": {"type": "integer", "minimum": 1},
            "delay_ms": {"type": "integer", "minimum": 0, "maximum": 3600000},
            "chunk_delay_ms": {"type": "integer", "minimum": 0, "maximum": 60000},
            "usage": {"type": "object"},
            "finish_reason": {"enum": ["stop", "length", "tool_calls", "content_filter"]},
            "error": {"type": "object", "additionalProperties": false, "properties": {
              "class": {"enum": ["rate_limit", "server", "timeout", "stall", "reset", "cut", "authentication", "invalid_request", "model_not_found", "context_overflow", "refusal"]},
              "message": {"type": "string"}, "attempts": {"type": "integer"}, "retry_after_seconds": {"type": "number", "minimum": 0},
              "after_chunks": {"type": "integer", "minimum": 0}}},
            "comment": {"type": "string"}}}}
        """);

    public static Script Read(JsonElement json) => new([.. TurnsOf(json).Select(ReadTurn)]);

    public static IEnumerable<ModelFault> Check(JsonElement json)
    {
        var turns = json.Property("turns") ?? json;
        return turns.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null
            ? [new ModelFault("script", "a scripted model needs its turns", """write "script": [{"text": "..."}], or "script_file" with the command line""")]
            : JsonSchemaChecker.Check(turns, Schema).Select(fault => new ModelFault($"script{fault.Path[1..]}", $"it {fault.Message}", "see docs/scripted-model.md"));
    }

    private static IEnumerable<JsonElement> TurnsOf(JsonElement json) => (json.Property("turns") ?? json).EnumerateArray();

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
        FinishReason = json.TextProperty("finish_reason"),
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

    /// <summary>Why the model says that it stopped; else what fits the turn.</summary>
    public string? FinishReason { get; init; }

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
