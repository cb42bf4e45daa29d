using System.Text.Json;

namespace AgentExecutor.Core.Channels;

/// <summary>A channel whose value and updates are plain JSON.</summary>
public abstract class JsonChannel(string name) : Channel(name)
{
    public sealed override object? Reduce(object? value, IReadOnlyList<object> updates)
    {
        var current = value is JsonElement element ? element : (JsonElement?)null;
        var next = Fold(current, updates);
        return next is { } result ? result : null;
    }

    public override void WriteValue(Utf8JsonWriter writer, object value) => ((JsonElement)value).WriteTo(writer);

    public override object ReadValue(JsonElement json) => json;

    internal override bool CanBeShared => !IsTransient;

    internal override object? Difference(object? before, object after) =>
        before is JsonElement old && JsonElement.DeepEquals(old, (JsonElement)after) ? null : after;

    /// <summary>Folds updates (each a boxed <see cref="JsonElement"/>) into the value.</summary>
    protected abstract JsonElement? Fold(JsonElement? value, IReadOnlyList<object> updates);
}
