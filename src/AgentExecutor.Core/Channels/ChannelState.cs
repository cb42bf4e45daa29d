namespace AgentExecutor.Core.Channels;

/// <summary>The values of all channels after a superstep, with their versions. Immutable after construction.</summary>
/// <param name="Channels">The channels whose values these are.</param>
/// <param name="Slots">One slot per channel, by the channel's index.</param>
public sealed record ChannelState(ChannelSet Channels, ChannelSlot[] Slots)
{
    public static ChannelState Empty(ChannelSet channels) => new(channels, new ChannelSlot[channels.Count]);

    /// <summary>Returns the channel's value, or null if the channel has no value or does not exist.</summary>
    public object? this[string name] => Channels.IndexOf(name) is >= 0 and var index ? Slots[index].Value : null;

    public T? Get<T>(string name)
        where T : class => this[name] as T;

    /// <summary>Returns the same values in a larger set of channels.</summary>
    public ChannelState In(ChannelSet channels)
    {
        if (ReferenceEquals(channels, Channels))
        {
            return this;
        }
        var slots = new ChannelSlot[channels.Count];
        Slots.CopyTo(slots, 0);
        return new ChannelState(channels, slots);
    }
}

/// <summary>One channel's value at a checkpoint.</summary>
/// <param name="Value">The value, or null if there is none.</param>
/// <param name="Version">Increases with every change; 0 before the first one.</param>
/// <param name="Delta">For a delta channel: how many updates and supersteps have passed since the whole value was stored.</param>
public readonly record struct ChannelSlot(object? Value, int Version, DeltaCounter Delta);

/// <summary>The number of updates and supersteps since the whole value of a delta channel was last stored.</summary>
/// <param name="Updates">The number of updates.</param>
/// <param name="Supersteps">The number of supersteps, with or without an update.</param>
public readonly record struct DeltaCounter(int Updates, int Supersteps)
{
    private const int FewestUpdates = 512;
    private const int FewestSupersteps = 1_024;

    /// <summary>
    /// Decides whether the whole value must be stored now. That is the case when there are far more updates than items left in the value,
    /// as with files that are edited often or a conversation that was summarised. It is also the case when many supersteps have passed; the
    /// required number grows with the value, so that the cost of snapshots stays proportional to the cost of the updates, however long the
    /// thread is.
    /// </summary>
    public bool IsSnapshotDue(long itemsInValue) =>
        Updates >= Math.Max(FewestUpdates, 4 * itemsInValue) || Supersteps >= Math.Max(FewestSupersteps, itemsInValue / 2);

    public DeltaCounter Plus(int updates) => new(Updates + updates, Supersteps + 1);
}
