using System.Collections.Immutable;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Core.Execution;

/// <summary>
/// Folds updates into a state and records what must be stored and published: the whole values of plain channels, and for delta channels the
/// updates or, when a snapshot is due, the whole value.
/// </summary>
internal sealed class StepFold(ChannelState from)
{
    private readonly ChannelSlot[] _slots = (ChannelSlot[])from.Slots.Clone();
    private readonly List<object>?[] _updates = new List<object>?[from.Channels.Count];
    private readonly ImmutableArray<string>.Builder _updated = ImmutableArray.CreateBuilder<string>();
    private readonly ImmutableArray<StoredValue>.Builder _values = ImmutableArray.CreateBuilder<StoredValue>();

    public ImmutableArray<string> Updated => _updated.ToImmutable();

    public ImmutableArray<StoredValue> Values => _values.ToImmutable();

    public ChannelState State => new(from.Channels, _slots);

    public void Add(ChannelWrite write) => (_updates[write.Channel] ??= []).Add(write.Update);

    /// <summary>Folds the added updates. Topic channels without an update are emptied.</summary>
    /// <param name="snapshot">True to store whole values of delta channels too, because their updates cannot be stored.</param>
    public void Fold(bool snapshot)
    {
        for (var i = 0; i < _updates.Length; i++)
        {
            if (_updates[i] is { } updates)
            {
                _updates[i] = null;
                Fold(i, updates, snapshot);
            }
            else if (from.Channels[i].IsTransient && from.Channels[i].ItemsIn(_slots[i].Value) > 0)
            {
                // The empty value gets a version of its own, because versions never decrease.
                Fold(i, [], snapshot);
            }
            else if (_slots[i].Delta.Updates > 0)
            {
                CountSuperstep(i, snapshot);
            }
        }
    }

    /// <summary>
    /// Folds the updates of the joins' barrier channels, which are known only after the schedule was computed from the state.
    /// </summary>
    public void FoldBarriers(ImmutableArray<ChannelWrite> writes)
    {
        foreach (var group in writes.GroupBy(write => write.Channel))
        {
            Fold(group.Key, [.. group.Select(write => write.Update)], snapshot: false);
        }
    }

    public ImmutableArray<ChannelVersion> Versions()
    {
        var versions = ImmutableArray.CreateBuilder<ChannelVersion>(_slots.Length);
        for (var i = 0; i < _slots.Length; i++)
        {
            if (_slots[i].Value is not null)
            {
                var delta = _slots[i].Delta;
                versions.Add(
                    new ChannelVersion(from.Channels[i].Name, _slots[i].Version, from.Channels[i].IsDelta, delta.Updates, delta.Supersteps)
                );
            }
        }
        return versions.DrainToImmutable();
    }

    /// <summary>Returns the changes for subscribers of the thread's events.</summary>
    public ImmutableArray<ChannelUpdate> Changes(ImmutableArray<StoredWrite> deltaWrites)
    {
        var changes = ImmutableArray.CreateBuilder<ChannelUpdate>(_updated.Count);
        foreach (var name in _updated)
        {
            var writes = WritesOf(name, deltaWrites);
            if (!writes.IsEmpty)
            {
                changes.Add(new ChannelUpdate(name, writes));
                continue;
            }
            foreach (var value in _values)
            {
                if (value.Channel == name)
                {
                    changes.Add(new ChannelUpdate(name, [value.Json]) { IsWhole = from.Channels[from.Channels.Require(name)].IsDelta });
                    break;
                }
            }
        }
        return changes.DrainToImmutable();
    }

    private static ImmutableArray<ReadOnlyMemory<byte>> WritesOf(string channel, ImmutableArray<StoredWrite> writes) =>
        writes.IsEmpty ? [] : [.. writes.Where(write => write.Channel == channel).Select(write => write.Json)];

    /// <summary>Counts one more superstep since the last snapshot of a delta channel that received no update.</summary>
    private void CountSuperstep(int index, bool snapshot)
    {
        var slot = _slots[index];
        var older = slot.Delta.Plus(0);
        if (snapshot || older.IsSnapshotDue(from.Channels[index].ItemsIn(slot.Value)))
        {
            Store(index, slot.Value!, slot.Version + 1);
        }
        else
        {
            _slots[index] = slot with { Delta = older };
        }
    }

    private void Fold(int index, List<object> updates, bool snapshot)
    {
        var channel = from.Channels[index];
        var slot = _slots[index];
        _updated.Add(channel.Name);
        if (channel.Reduce(slot.Value, updates) is not { } value)
        {
            _slots[index] = new ChannelSlot(null, slot.Version + 1, default);
            return;
        }
        var delta = channel.IsDelta ? slot.Delta.Plus(updates.Count) : default;
        if (!channel.IsDelta || snapshot || delta.IsSnapshotDue(channel.ItemsIn(value)))
        {
            Store(index, value, slot.Version + 1);
        }
        else
        {
            _slots[index] = new ChannelSlot(value, slot.Version + 1, delta);
        }
    }

    private void Store(int index, object value, int version)
    {
        _slots[index] = new ChannelSlot(value, version, default);
        _values.Add(new StoredValue(from.Channels[index].Name, version, from.Channels[index].EncodeValue(value)));
    }
}
