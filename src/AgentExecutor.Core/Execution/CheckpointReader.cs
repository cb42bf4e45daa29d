using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Execution;

/// <summary>
/// Decodes a loaded checkpoint into a <see cref="Position"/>: reads the stored values and rebuilds delta channels from their updates.
/// </summary>
public static class CheckpointReader
{
    public static Position Read(LoadedCheckpoint loaded, ChannelSet declared)
    {
        var checkpoint = loaded.Checkpoint;
        var channels = declared.With(checkpoint.Channels.Select(channel => channel.Name));
        var slots = new ChannelSlot[channels.Count];
        var values = loaded.Values.ToDictionary(value => value.Channel, value => value.Json);
        var deltas = loaded.Deltas.ToDictionary(delta => delta.Channel);
        foreach (var version in checkpoint.Channels)
        {
            var index = channels.IndexOf(version.Name);
            var value = deltas.TryGetValue(version.Name, out var history)
                ? Rebuild(channels[index], history)
                : channels[index].ReadValue(Parse(values, version, checkpoint));
            slots[index] = new ChannelSlot(value, version.Version, new DeltaCounter(version.Updates, version.Supersteps));
        }
        return new Position(
            checkpoint.Id,
            checkpoint.Step,
            new ChannelState(channels, slots),
            DueTask.Decode(checkpoint.Due),
            loaded.Pending
        );
    }

    private static object? Rebuild(Channel channel, DeltaHistory history)
    {
        var value = history.Base is { } whole ? channel.ReadValue(StoredJson.Parse(whole.Span)) : null;
        var updates = new object[history.Updates.Length];
        for (var i = 0; i < updates.Length; i++)
        {
            updates[i] = channel.ReadUpdate(StoredJson.Parse(history.Updates[i].Span), "message");
        }
        return channel.Reduce(value, updates);
    }

    private static JsonElement Parse(
        Dictionary<string, ReadOnlyMemory<byte>> values,
        ChannelVersion version,
        StoredCheckpoint checkpoint
    ) =>
        values.TryGetValue(version.Name, out var json)
            ? StoredJson.Parse(json.Span)
            : throw new FaultException(
                FaultCodes.StoreCorrupt,
                $"the checkpoint {checkpoint.Id} refers to version {version.Version} of the channel '{version.Name}', but the store does "
                    + "not hold that version",
                "restore the store from a backup, or fork the thread from an earlier checkpoint"
            );
}
