namespace AgentExecutor.Core.Execution.Channels;

/// <summary>The values of all channels after a superstep, with their versions. Immutable once built.</summary>
/// <param name="Channels">Which channels these are.</param>
/// <param name="Slots">One slot a channel, by its index.</param>
public sealed record ChannelState(ChannelSet Channels, ChannelSlot[] Slots)
{
    public static ChannelState Empty(ChannelSet channels) => new(channels, new ChannelSlot[channels.Count]);

    /// <summary>The value, or null where the channel has none or does not exist.</summary>
    public object? this[string name] => Channels.IndexOf(name) is >= 0 and var index ? Slots[index].Value : null;

    public T? Get<T>(string name) where T : class => this[name] as T;

    /// <summary>The same values in a larger set of channels.</summary>
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
/// <param name="Value">The value, or null for none.</param>
/// <param name="Version">Grows with each change; 0 before the first.</param>
/// <param name="Delta">Of a delta channel: how far its last whole value is behind.</param>
public readonly record struct ChannelSlot(object? Value, int Version, DeltaCounter Delta);

/// <summary>How many updates and supersteps a delta channel has seen since its whole value was last stored.</summary>
/// <param name="Updates">Updates since.</param>
/// <param name="Supersteps">Supersteps since, with an update or without.</param>
public readonly record struct DeltaCounter(int Updates, int Supersteps)
{
    private const int FewestUpdates = 512;
    private const int FewestSupersteps = 1_024;

    /// <summary>
    /// A whole value is due once the updates outnumber what is left of them by far (files that were edited often, a conversation that was
    /// summarised), and when it is old: then after twice as many supersteps as the time before, where the value has grown as much, so that
    /// what whole values cost stays in proportion to the updates themselves, however long the thread.
    /// </summary>
    public bool IsSnapshotDue(long itemsInValue) =>
        Updates >= Math.Max(FewestUpdates, 4 * itemsInValue) || Supersteps >= Math.Max(FewestSupersteps, itemsInValue / 2);

    public DeltaCounter Plus(int updates) => new(Updates + updates, Supersteps + 1);
}
