using System.Collections.Immutable;

namespace AgentExecutor.Core.Checkpoints;

/// <summary>Gives a <see cref="DeltaWalk"/> access to the earlier checkpoints of one namespace.</summary>
public interface ICheckpointHistory
{
    /// <summary>Returns the id of the parent, or null for the first checkpoint and if the parent was pruned.</summary>
    string? ParentOf(string checkpointId);

    /// <summary>Returns the checkpoint, or null if it was pruned.</summary>
    StoredCheckpoint? Find(string checkpointId);

    /// <summary>Returns the writes under a checkpoint, ordered by task and index.</summary>
    IReadOnlyList<StoredWrite> WritesUnder(string checkpointId);

    ReadOnlyMemory<byte> ValueOf(string channel, int version);
}

/// <summary>
/// Finds the data from which a checkpoint's delta channels are rebuilt. Each channel version says how many supersteps ago its whole value
/// was stored. That many ancestors hold the writes since then, and the oldest of them names the version of the whole value. If it names
/// none, the writes alone make up the value. Writes under the checkpoint itself are pending and do not count.
/// </summary>
public static class DeltaWalk
{
    public static ImmutableArray<DeltaHistory> Histories(StoredCheckpoint checkpoint, ICheckpointHistory history)
    {
        var histories = ImmutableArray.CreateBuilder<DeltaHistory>();
        foreach (var channel in checkpoint.Channels.Where(channel => channel.IsDelta))
        {
            histories.Add(
                channel.Updates == 0
                    ? new DeltaHistory(channel.Name, history.ValueOf(channel.Name, channel.Version), [])
                    : Rebuild(checkpoint.Id, channel, history)
            );
        }
        return histories.ToImmutable();
    }

    /// <summary>Returns the ids of these checkpoints and of all ancestors from which they are rebuilt.</summary>
    public static HashSet<string> Needed(IEnumerable<StoredCheckpoint> kept, ICheckpointHistory history)
    {
        var needed = new HashSet<string>(StringComparer.Ordinal);
        foreach (var checkpoint in kept)
        {
            needed.Add(checkpoint.Id);
            foreach (var channel in checkpoint.Channels.Where(channel => channel.IsDelta))
            {
                needed.UnionWith(Ancestors(checkpoint.Id, channel, history));
            }
        }
        return needed;
    }

    private static DeltaHistory Rebuild(string checkpointId, ChannelVersion channel, ICheckpointHistory history)
    {
        var ancestors = Ancestors(checkpointId, channel, history).ToList();
        var updates = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>(channel.Updates);
        for (var i = ancestors.Count - 1; i >= 0; i--)
        {
            foreach (var write in history.WritesUnder(ancestors[i]))
            {
                if (write.Channel == channel.Name)
                {
                    updates.Add(write.Json);
                }
            }
        }
        ReadOnlyMemory<byte>? whole = null;
        if (ancestors.Count > 0 && history.Find(ancestors[^1]) is { } oldest && VersionAt(oldest, channel.Name) is { } stored)
        {
            whole = history.ValueOf(channel.Name, stored);
        }
        return new DeltaHistory(channel.Name, whole, updates.ToImmutable());
    }

    /// <summary>Returns the ancestors whose writes are needed, newest first.</summary>
    private static IEnumerable<string> Ancestors(string checkpointId, ChannelVersion channel, ICheckpointHistory history)
    {
        var id = checkpointId;
        for (var step = 0; step < channel.Supersteps && history.ParentOf(id) is { } parent; step++)
        {
            yield return id = parent;
        }
    }

    private static int? VersionAt(StoredCheckpoint checkpoint, string name)
    {
        foreach (var channel in checkpoint.Channels)
        {
            if (channel.Name == name)
            {
                return channel.Version;
            }
        }
        return null;
    }
}
