using System.Text.Json;

namespace AgentExecutor.Core.Execution.Channels;

/// <summary>Holds the last value written; two writes in one superstep are a fault, since their order would be chance.</summary>
public sealed class LastValueChannel(string name) : JsonChannel(name)
{
    public const string KindName = "last_value";

    public override string Kind => KindName;

    protected override JsonElement? Fold(JsonElement? value, IReadOnlyList<object> updates) => updates.Count switch
    {
        0 => value,
        1 => (JsonElement)updates[0],
        _ => throw new FaultException(
            FaultCodes.ConcurrentUpdate,
            $"{updates.Count} tasks wrote the channel '{Name}' in one superstep, and it keeps one value",
            $"give '{Name}' a reducer in state_schema (append, merge, sum or set), or let the branches write different channels"),
    };
}
