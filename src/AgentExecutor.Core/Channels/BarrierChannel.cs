using System.Collections.Immutable;
using System.Text.Json;

namespace AgentExecutor.Core.Channels;

/// <summary>
/// Records which predecessors of a join have arrived. An update is the name of a predecessor, or <see cref="Reset"/> after the join fired.
/// Within one superstep the reset is applied before the arrivals, so that an arrival in the same superstep counts towards the next firing.
/// </summary>
public sealed class BarrierChannel(string name) : Channel(name)
{
    public const string KindName = "barrier";

    /// <summary>The update that empties the barrier.</summary>
    public const string Reset = "";

    public override string Kind => KindName;

    public static ImmutableSortedSet<string> Arrived(object? value) => value as ImmutableSortedSet<string> ?? [];

    public override object? Reduce(object? value, IReadOnlyList<object> updates)
    {
        var reset = updates.Any(static update => (string)update == Reset);
        var arrived = reset ? [] : Arrived(value);
        return arrived.Union(updates.Cast<string>().Where(static name => name != Reset));
    }

    public override void WriteValue(Utf8JsonWriter writer, object value)
    {
        writer.WriteStartArray();
        foreach (var name in (ImmutableSortedSet<string>)value)
        {
            writer.WriteStringValue(name);
        }
        writer.WriteEndArray();
    }

    public override object ReadValue(JsonElement json) =>
        json.ValueKind == JsonValueKind.Array
            ? json.EnumerateArray()
                .Select(name => name.GetString() ?? throw Invalid(name, "names"))
                .ToImmutableSortedSet(StringComparer.Ordinal)
            : throw Invalid(json, "a list of names");

    public override void WriteUpdate(Utf8JsonWriter writer, object update) => writer.WriteStringValue((string)update);

    public override object ReadUpdate(JsonElement json, string idPrefix) =>
        json.ValueKind == JsonValueKind.String ? json.GetString()! : throw Invalid(json, "a name");
}
