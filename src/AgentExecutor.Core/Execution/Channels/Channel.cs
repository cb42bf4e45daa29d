using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Execution.Channels;

/// <summary>
/// One named piece of a thread's state and the reducer that folds updates into it. A channel holds no value itself:
/// values are immutable and live in a <see cref="ChannelState"/>.
/// </summary>
public abstract class Channel(string name)
{
    public string Name { get; } = name;

    /// <summary>The reducer's stable name, as definitions say it.</summary>
    public abstract string Kind { get; }

    /// <summary>
    /// True where a checkpoint stores the updates and only now and then the whole value. The reducer must then give the
    /// same value for one batch of updates as for the same updates in several.
    /// </summary>
    public virtual bool IsDelta => false;

    /// <summary>True where the value lasts one superstep.</summary>
    public virtual bool IsTransient => false;

    /// <summary>Folds a superstep's updates, in task order, into the value; null stands for no value.</summary>
    /// <exception cref="FaultException">The updates cannot be folded.</exception>
    public abstract object? Reduce(object? value, IReadOnlyList<object> updates);

    /// <summary>How many live items a delta or transient channel's value has: what a whole value costs to store.</summary>
    public virtual long ItemsIn(object? value) => 1;

    public abstract void WriteValue(Utf8JsonWriter writer, object value);

    public abstract object ReadValue(JsonElement json);

    public virtual void WriteUpdate(Utf8JsonWriter writer, object update) => WriteValue(writer, update);

    /// <summary>Reads an update that was stored, or that a person or definition wrote.</summary>
    /// <param name="json">The update.</param>
    /// <param name="idPrefix">Makes ids for items that lack one; the same prefix gives the same ids.</param>
    /// <exception cref="FaultException">The JSON is no update of this channel (<see cref="FaultCodes.InvalidUpdate"/>).</exception>
    public virtual object ReadUpdate(JsonElement json, string idPrefix) => ReadValue(json);

    public byte[] EncodeValue(object value) => JsonBytes.Write((this, value), static (writer, it) => it.Item1.WriteValue(writer, it.value));

    public byte[] EncodeUpdate(object update) => JsonBytes.Write((this, update), static (writer, it) => it.Item1.WriteUpdate(writer, it.update));

    protected FaultException Invalid(JsonElement json, string expected) => new(
        FaultCodes.InvalidUpdate, $"the channel '{Name}' ({Kind}) takes {expected}, not {json.ValueKind.ToString().ToLowerInvariant()}");
}
