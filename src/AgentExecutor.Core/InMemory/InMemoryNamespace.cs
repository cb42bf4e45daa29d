using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Core.InMemory;

/// <summary>The checkpoints of one namespace of a thread in memory. The caller locks the thread.</summary>
internal sealed class InMemoryNamespace : ICheckpointHistory
{
    private readonly Dictionary<(string Channel, int Version), ReadOnlyMemory<byte>> _values = [];
    private readonly Dictionary<string, List<StoredWrite>> _writes = new(StringComparer.Ordinal);
    private string? _newest;

    public Dictionary<string, StoredCheckpoint> Checkpoints { get; } = new(StringComparer.Ordinal);

    public void Commit(StepCommit commit)
    {
        foreach (var write in commit.Writes)
        {
            Put(commit.WritesUnder!, write);
        }
        foreach (var value in commit.Values)
        {
            _values[(value.Channel, value.Version)] = value.Json;
        }
        if (commit.Checkpoint is { } checkpoint)
        {
            Checkpoints[checkpoint.Id] = checkpoint;
            _newest = _newest is null || string.CompareOrdinal(checkpoint.Id, _newest) > 0 ? checkpoint.Id : _newest;
        }
    }

    public LoadedCheckpoint? Load(string? id)
    {
        if ((id ?? _newest) is not { } wanted || !Checkpoints.TryGetValue(wanted, out var checkpoint))
        {
            return null;
        }
        var values = checkpoint
            .Channels.Where(channel => !channel.IsDelta)
            .Select(channel => new StoredValue(channel.Name, channel.Version, _values.GetValueOrDefault((channel.Name, channel.Version))))
            .Where(value => value.Json.Length > 0)
            .ToImmutableArray();
        return new LoadedCheckpoint(checkpoint, values, DeltaWalk.Histories(checkpoint, this), [.. WritesUnder(wanted)]);
    }

    public StoredChange? ChangeAt(CheckpointKey key)
    {
        if (Find(key.Id) is not { } checkpoint)
        {
            return null;
        }
        var writes = checkpoint.ParentId is { } parent ? WritesUnder(parent) : [];
        return new StoredChange(
            key,
            checkpoint.Updated,
            [.. writes.Where(write => !SpecialChannel.Contains(write.Channel) && checkpoint.Updated.Contains(write.Channel))],
            [
                .. checkpoint
                    .Channels.Where(channel => checkpoint.Updated.Contains(channel.Name))
                    .Select(channel => new StoredValue(channel.Name, channel.Version, ValueOf(channel.Name, channel.Version)))
                    .Where(value => value.Json.Length > 0),
            ]
        );
    }

    public InMemoryNamespace? CopyUpTo(string id, string threadId)
    {
        if (!Checkpoints.ContainsKey(id))
        {
            return null;
        }
        var copy = new InMemoryNamespace { _newest = id };
        for (var at = id; at is not null && Checkpoints.TryGetValue(at, out var checkpoint); at = checkpoint.ParentId)
        {
            copy.Checkpoints[at] = checkpoint with { ThreadId = threadId };
            if (at != id)
            {
                copy._writes[at] = [.. WritesUnder(at)];
            }
            foreach (var channel in checkpoint.Channels)
            {
                if (_values.TryGetValue((channel.Name, channel.Version), out var value))
                {
                    copy._values[(channel.Name, channel.Version)] = value;
                }
            }
        }
        return copy;
    }

    public int Prune(int keep)
    {
        var kept = Checkpoints.Values.OrderByDescending(it => it.Id, StringComparer.Ordinal).Take(keep).ToList();
        var needed = DeltaWalk.Needed(kept, this);
        var gone = Checkpoints.Keys.Where(id => !needed.Contains(id)).ToList();
        foreach (var id in gone)
        {
            Checkpoints.Remove(id);
            _writes.Remove(id);
        }
        var named = Checkpoints.Values.SelectMany(it => it.Channels).Select(channel => (channel.Name, channel.Version)).ToHashSet();
        foreach (var value in _values.Keys.Where(value => !named.Contains(value)).ToList())
        {
            _values.Remove(value);
        }
        return gone.Count;
    }

    public string? ParentOf(string checkpointId) =>
        Find(checkpointId)?.ParentId is { } parent && Checkpoints.ContainsKey(parent) ? parent : null;

    public StoredCheckpoint? Find(string checkpointId) => Checkpoints.GetValueOrDefault(checkpointId);

    public ReadOnlyMemory<byte> ValueOf(string channel, int version) => _values.GetValueOrDefault((channel, version));

    public IReadOnlyList<StoredWrite> WritesUnder(string id) =>
        _writes.TryGetValue(id, out var writes)
            ? [.. writes.OrderBy(write => write.TaskId, StringComparer.Ordinal).ThenBy(write => write.Index)]
            : [];

    private void Put(string under, StoredWrite write)
    {
        if (!_writes.TryGetValue(under, out var writes))
        {
            _writes[under] = writes = [];
        }
        var index = writes.FindIndex(other => other.TaskId == write.TaskId && other.Index == write.Index);
        if (index < 0)
        {
            writes.Add(write);
        }
        else if (write.Index < 0)
        {
            writes[index] = write;
        }
    }
}
