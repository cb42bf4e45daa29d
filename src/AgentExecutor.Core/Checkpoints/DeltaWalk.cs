using System.Collections.Immutable;

namespace AgentExecutor.Core.Checkpoints;

/// <summary>
/// Finds what rebuilds a checkpoint's delta channels: from the checkpoint back over its ancestors to the nearest one at which the channel's
/// whole value is stored, gathering the writes under each ancestor on the way. Writes under the checkpoint itself are pending and do not count.
/// </summary>
public static class DeltaWalk
{
    public static ImmutableArray<DeltaHistory> Histories(
        StoredCheckpoint checkpoint,
        Func<string, StoredCheckpoint?> find,
        Func<string, IReadOnlyCollection<StoredWrite>> writesUnder,
        Func<string, int, ReadOnlyMemory<byte>> valueOf)
    {
        var histories = ImmutableArray.CreateBuilder<DeltaHistory>();
        foreach (var channel in checkpoint.Channels.Where(channel => channel.IsDelta))
        {
            var steps = new List<ReadOnlyMemory<byte>[]>();
            ReadOnlyMemory<byte>? whole = channel.Updates == 0 ? valueOf(channel.Name, channel.Version) : null;
            foreach (var ancestor in AncestorsFor(checkpoint, channel, find))
            {
                steps.Add([.. writesUnder(ancestor.Id).Where(write => write.Channel == channel.Name)
                    .OrderBy(write => write.TaskId, StringComparer.Ordinal).ThenBy(write => write.Index).Select(write => write.Json)]);
                if (VersionAt(ancestor, channel.Name) is { Updates: 0 } stored)
                {
                    whole = valueOf(channel.Name, stored.Version);
                }
            }
            steps.Reverse();
            histories.Add(new DeltaHistory(channel.Name, whole, [.. steps.SelectMany(step => step)]));
        }
        return histories.ToImmutable();
    }

    /// <summary>The ids of these checkpoints and of all ancestors that rebuild them.</summary>
    public static HashSet<string> Needed(IEnumerable<StoredCheckpoint> kept, Func<string, StoredCheckpoint?> find)
    {
        var needed = new HashSet<string>(StringComparer.Ordinal);
        foreach (var checkpoint in kept)
        {
            needed.Add(checkpoint.Id);
            foreach (var channel in checkpoint.Channels.Where(channel => channel.IsDelta))
            {
                needed.UnionWith(AncestorsFor(checkpoint, channel, find).Select(ancestor => ancestor.Id));
            }
        }
        return needed;
    }

    /// <summary>The ancestors whose writes are needed, newest first: up to the first at which the whole value is stored.</summary>
    private static IEnumerable<StoredCheckpoint> AncestorsFor(StoredCheckpoint checkpoint, ChannelVersion channel, Func<string, StoredCheckpoint?> find)
    {
        if (channel.Updates == 0)
        {
            yield break;
        }
        for (var parent = checkpoint.ParentId; parent is not null && find(parent) is { } ancestor; parent = ancestor.ParentId)
        {
            yield return ancestor;
            if (VersionAt(ancestor, channel.Name) is null or { Updates: 0 })
            {
                yield break;
            }
        }
    }

    private static ChannelVersion? VersionAt(StoredCheckpoint checkpoint, string name)
    {
        foreach (var channel in checkpoint.Channels)
        {
            if (channel.Name == name)
            {
                return channel;
            }
        }
        return null;
    }
}
