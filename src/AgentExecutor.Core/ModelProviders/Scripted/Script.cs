using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Schemas;

namespace AgentExecutor.Core.ModelProviders.Scripted;

/// <summary>
/// The turns of a scripted model. A call selects the first turn whose <c>when</c> holds. If there is none, the turns without <c>when</c>
/// are used in order, one per answer. The selection depends only on the conversation, so a repeated call gives the same answer.
/// </summary>
public sealed record Script(IReadOnlyList<ScriptTurn> Turns)
{
    private static readonly JsonElement Schema = StoredJson.Parse(
        """
        {"type": "array", "minItems": 1, "items": {
          "type": "object", "additionalProperties": false,
          "anyOf": [{"required": ["text"]}, {"required": ["tool_calls"]}, {"required": ["error"]}],
          "properties": {
            "when": {"type": "object", "additionalProperties": false, "properties": {
              "agent": {"type": "string"}, "turn": {"type": "integer"}, "last_tool": {"type": "string"},
              "last_contains": {"type": "string"},
              "last_matches": {"type": "string"}, "user_contains": {"type": "string"}, "$comment": true}},
            "text": {"type": "string"},
            "reasoning": {"type": "string"},
            "tool_calls": {"type": "array", "items": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
              "id": {"type": "string", "minLength": 1}, "name": {"type": "string"}, "args": true, "$comment": true}}},
            "chunk_size": {"type": "integer", "minimum": 1},
            "delay_ms": {"type": "integer", "minimum": 0, "maximum": 3600000},
            "chunk_delay_ms": {"type": "integer", "minimum": 0, "maximum": 60000},
            "usage": {"type": "object"},
            "finish_reason": {"enum": ["stop", "length", "tool_calls", "content_filter"]},
            "error": {"type": "object", "additionalProperties": false, "properties": {
              "class": {"enum": ["rate_limit", "server", "timeout", "stall", "reset", "cut",
                "authentication", "invalid_request", "model_not_found", "context_overflow", "refusal"]},
              "message": {"type": "string"}, "attempts": {"type": "integer"}, "retry_after_seconds": {"type": "number", "minimum": 0},
              "after_chunks": {"type": "integer", "minimum": 0}, "$comment": true}},
            "comment": {"type": "string"}, "$comment": true}}}
        """
    );

    public static Script Read(JsonElement json) => new([.. TurnsOf(json).Select(ReadTurn)]);

    public static IEnumerable<ModelFault> Check(JsonElement json)
    {
        var turns = json.Property("turns") ?? json;
        return turns.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null
            ?
            [
                new ModelFault(
                    "script",
                    "the scripted model has no turns",
                    """write "script": [{"text": "..."}], or use "script_file" on the command line"""
                ),
            ]
            : JsonSchemaChecker
                .Check(turns, Schema)
                .Select(fault => new ModelFault($"script{fault.Path[1..]}", $"the value {fault.Message}", "see docs/scripted-model.md"));
    }

    private static IEnumerable<JsonElement> TurnsOf(JsonElement json) => (json.Property("turns") ?? json).EnumerateArray();

    private static ScriptTurn ReadTurn(JsonElement json) =>
        new()
        {
            When = json.Property("when") is { } when ? ReadCondition(when) : null,
            Text = json.TextProperty("text") ?? "",
            Reasoning = json.TextProperty("reasoning"),
            ToolCalls = json.Property("tool_calls") is { ValueKind: JsonValueKind.Array } calls
                ? [.. calls.EnumerateArray().Select(ReadCall)]
                : [],
            ChunkSize = Math.Max(1, Number(json, "chunk_size") ?? 24),
            Delay = TimeSpan.FromMilliseconds(Number(json, "delay_ms") ?? 0),
            ChunkDelay = TimeSpan.FromMilliseconds(Number(json, "chunk_delay_ms") ?? 0),
            Usage = json.Property("usage") is { } usage ? MessageJson.ReadUsage(usage) : null,
            FinishReason = json.TextProperty("finish_reason"),
            Error = json.Property("error") is { } error ? ScriptError.Read(error) : null,
        };

    private static ScriptCondition ReadCondition(JsonElement json) =>
        new(
            json.TextProperty("agent"),
            Number(json, "turn"),
            json.TextProperty("last_tool"),
            json.TextProperty("last_contains"),
            json.TextProperty("last_matches"),
            json.TextProperty("user_contains")
        );

    private static ScriptCall ReadCall(JsonElement json) =>
        new(json.TextProperty("id"), json.TextProperty("name") ?? "", json.Property("args") ?? StoredJson.Parse("{}"u8));

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

    /// <summary>The number of characters per chunk when the answer is streamed.</summary>
    public int ChunkSize { get; init; }

    /// <summary>The time before the first chunk.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>The time between chunks.</summary>
    public TimeSpan ChunkDelay { get; init; }

    /// <summary>The token usage to report. By default about a quarter of the number of characters.</summary>
    public TokenUsage? Usage { get; init; }

    /// <summary>The finish reason to report. By default it is derived from the turn.</summary>
    public string? FinishReason { get; init; }

    public ScriptError? Error { get; init; }
}

/// <summary>The condition under which a turn is selected. All given parts must hold.</summary>
/// <param name="Agent">The name of the agent that makes the call.</param>
/// <param name="Turn">The number of answers that the conversation contains.</param>
/// <param name="LastTool">The tool whose result is the last message.</param>
/// <param name="LastContains">A text that the last message contains.</param>
/// <param name="LastMatches">A regular expression that the last message matches.</param>
/// <param name="UserContains">A text that the last user message contains.</param>
public sealed record ScriptCondition(
    string? Agent,
    int? Turn,
    string? LastTool,
    string? LastContains,
    string? LastMatches,
    string? UserContains
);

/// <summary>A tool call of a turn. Strings in <paramref name="Arguments"/> can contain quotes from the conversation.</summary>
public sealed record ScriptCall(string? Id, string Name, JsonElement Arguments);
