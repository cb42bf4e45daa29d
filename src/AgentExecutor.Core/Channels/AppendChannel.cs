using System.Collections.Immutable;
using System.Text.Json;

namespace AgentExecutor.Core.Channels;

/// <summary>A list that grows at its end. The items of an array are appended one by one; any other value is appended as one item.</summary>
public sealed class AppendChannel(string name) : Channel(name)
{
    public const string KindName = "append";

    public override string Kind => KindName;

    public override bool IsDelta => true;

    public override object? Reduce(object? value, IReadOnlyList<object> updates) =>
        updates.Aggregate(
            value as ImmutableList<JsonElement> ?? [],
            static (items, update) => items.AddRange((ImmutableList<JsonElement>)update)
        );

    public override long ItemsIn(object? value) => value is ImmutableList<JsonElement> items ? items.Count : 0;

    internal override bool CanBeShared => true;

    internal override object? Difference(object? before, object after) =>
        (ImmutableList<JsonElement>)after is var items && before is ImmutableList<JsonElement> { Count: var known } && known <= items.Count
            ? items.Count == known
                ? null
                : items.RemoveRange(0, known)
            : after;

    public override void WriteValue(Utf8JsonWriter writer, object value)
    {
        writer.WriteStartArray();
        foreach (var item in (ImmutableList<JsonElement>)value)
        {
            item.WriteTo(writer);
        }
        writer.WriteEndArray();
    }

    public override object ReadValue(JsonElement json) =>
        json.ValueKind == JsonValueKind.Array ? ImmutableList.CreateRange(json.EnumerateArray()) : [json];
}
