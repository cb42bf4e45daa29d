using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Channels;

/// <summary>
/// One named part of a thread's state, with the reducer that folds updates into its value. The channel itself holds no value: values are
/// immutable and are kept in a <see cref="ChannelState"/>.
/// </summary>
public abstract class Channel(string name)
{
    public string Name { get; } = name;

    /// <summary>The stable name of the reducer, as used in definitions.</summary>
    public abstract string Kind { get; }

    /// <summary>
    /// True if checkpoints store the channel's updates and only occasionally its whole value. The reducer must then produce the same value
    /// whether the updates are folded in one batch or in several.
    /// </summary>
    public virtual bool IsDelta => false;

    /// <summary>True if a value lasts for only one superstep.</summary>
    public virtual bool IsTransient => false;

    /// <summary>Folds the updates of a superstep, in task order, into the value. Null means that there is no value.</summary>
    /// <exception cref="FaultException">The updates cannot be folded.</exception>
    public abstract object? Reduce(object? value, IReadOnlyList<object> updates);

    /// <summary>
    /// The number of items in the value of a delta or transient channel, as a measure of what storing the whole value costs.
    /// </summary>
    public virtual long ItemsIn(object? value) => 1;

    public abstract void WriteValue(Utf8JsonWriter writer, object value);

    public abstract object ReadValue(JsonElement json);

    public virtual void WriteUpdate(Utf8JsonWriter writer, object update) => WriteValue(writer, update);

    /// <summary>Reads an update that was stored, or that was written by a person or in a definition.</summary>
    /// <param name="json">The update.</param>
    /// <param name="idPrefix">Prefix of the ids that are generated for items without one; the same prefix produces the same ids.</param>
    /// <exception cref="FaultException">The JSON is not a valid update for this channel
    /// (<see cref="FaultCodes.InvalidUpdate"/>).</exception>
    public virtual object ReadUpdate(JsonElement json, string idPrefix) => ReadValue(json);

    /// <summary>
    /// True if a sub-agent can have the channel together with its caller: it starts with the caller's value, and returns its changes.
    /// </summary>
    internal virtual bool CanBeShared => false;

    /// <summary>
    /// Returns the update that turns one value into another; null if they are equal. Only called if <see cref="CanBeShared"/> is true.
    /// </summary>
    internal virtual object? Difference(object? before, object after) => null;

    public byte[] EncodeValue(object value) => JsonBytes.Write((this, value), static (writer, it) => it.Item1.WriteValue(writer, it.value));

    public byte[] EncodeUpdate(object update) =>
        JsonBytes.Write((this, update), static (writer, it) => it.Item1.WriteUpdate(writer, it.update));

    protected FaultException Invalid(JsonElement json, string expected) =>
        new(
            FaultCodes.InvalidUpdate,
            $"the channel '{Name}' ({Kind}) expects {expected}, not {json.ValueKind.ToString().ToLowerInvariant()}"
        );
}
