using System.Text.Json;

namespace AgentExecutor.Core.Channels;

/// <summary>Keeps the last value written. Two writes in one superstep are an error, because their order would be arbitrary.</summary>
public sealed class LastValueChannel(string name) : JsonChannel(name)
{
    public const string KindName = "last_value";

    public override string Kind => KindName;

    protected override JsonElement? Fold(JsonElement? value, IReadOnlyList<object> updates) =>
        updates.Count switch
        {
            0 => value,
            1 => (JsonElement)updates[0],
            _ => throw new FaultException(
                FaultCodes.ConcurrentUpdate,
                $"{updates.Count} tasks wrote to the channel '{Name}' in one superstep, but it keeps only one value",
                $"give '{Name}' a reducer in state_schema (append, merge, sum or set), or let the branches write different channels"
            ),
        };
}
