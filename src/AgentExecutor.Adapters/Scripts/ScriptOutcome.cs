using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>The outcome of a call of a script.</summary>
/// <param name="Content">The result, or the description of the error.</param>
/// <param name="IsError">True if the call failed.</param>
internal sealed record ScriptOutcome(string Content, bool IsError)
{
    /// <summary>The changes of the state.</summary>
    public ImmutableArray<ToolUpdate> Updates { get; init; } = [];

    /// <summary>What the call printed.</summary>
    public string Log { get; init; } = "";

    /// <summary>The number of bytes of the log that were discarded.</summary>
    public long DroppedLogBytes { get; init; }

    /// <summary>Reads the answer of the Python runner.</summary>
    public static ScriptOutcome Read(JsonElement json) =>
        new(json.TextProperty("content") ?? "", json.Property("is_error") is { ValueKind: JsonValueKind.True })
        {
            Updates = json.Property("updates") is { ValueKind: JsonValueKind.Array } updates
                ?
                [
                    .. updates
                        .EnumerateArray()
                        .Where(pair => pair.ValueKind == JsonValueKind.Array && pair.GetArrayLength() == 2)
                        .Select(pair => new ToolUpdate(JsonBytes.Display(pair[0]), pair[1])),
                ]
                : [],
            Log = json.TextProperty("log") ?? "",
            DroppedLogBytes = json.Property("log_dropped") is { ValueKind: JsonValueKind.Number } dropped ? dropped.GetInt64() : 0,
        };
}
