using System.Collections.Immutable;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Runs.Transitions;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Core.Checkpoints;

/// <summary>One thread in memory; its owner locks it.</summary>
internal sealed class InMemoryThread
{
    private readonly Dictionary<string, Space> _spaces = new(StringComparer.Ordinal);

    private readonly List<Run> _runs = [];

    /// <summary>The run with the greatest fence: the newest that a worker has taken, or the first that waits.</summary>
    public Run? Newest { get; private set; }

    public string? Holder { get; private set; }

    public DateTimeOffset LeaseUntil { get; private set; }

    /// <summary>Leases that ran out since the last checkpoint.</summary>
    public int Crashes { get; private set; }

    public Dictionary<string, StoredToolCall> ToolCalls { get; } = new(StringComparer.Ordinal);

    public InMemoryLog Log { get; } = new();

    /// <summary>Null where there is no run.</summary>
    public LogPosition? Position => Newest is { } run ? new LogPosition(run.ThreadId, run.LastSequence, run.Status) : null;

    public SortedDictionary<long, InMemoryOutcome> Outcomes { get; } = [];

    /// <summary>The runs that were submitted: only their outcomes are announced.</summary>
    public Dictionary<string, RunSubmission> Submissions { get; } = new(StringComparer.Ordinal);

    /// <summary>The run that someone asked to cancel.</summary>
    public string? CancelAsked { get; set; }

    public void Commit(StepCommit commit, DateTimeOffset now)
    {
        CheckFence(commit, now);
        if (commit.Checkpoint is not null || !commit.Writes.IsEmpty)
        {
            SpaceOf(commit.Namespace).Commit(commit);
        }
        foreach (var call in commit.ToolCalls)
        {
            ToolCalls[call.TaskId] = call;
        }
        if (commit.Events is { } events)
        {
            Log.Add(events);
        }
        if (commit.Result is { } result && Submissions.TryGetValue(commit.Run!.RunId, out var submission))
        {
            Outcomes.TryAdd(result.Sequence, new InMemoryOutcome(commit.Run, result, submission.TraceParent, now));
        }
        Crashes = commit.Checkpoint is null && !commit.Acquires ? Crashes : 0;
        if (commit.Run is { } run)
        {
            Put(run);
            if (commit.Lease is { } lease && run.Status == RunStatus.Running)
            {
                Renew(lease, now);
            }
            else
            {
                Holder = null;
            }
        }
    }

    /// <summary>A worker has it, or a run waits for it.</summary>
    public bool IsInUse(DateTimeOffset now) => (Holder is not null && LeaseUntil > now) || _runs.Exists(static run => run.Status == RunStatus.Pending)
        || Outcomes.Values.Any(static outcome => !outcome.IsAnnounced);

    public Run? Find(string runId) => _runs.Find(run => run.RunId == runId);

    public void Put(Run run)
    {
        var index = _runs.FindIndex(other => other.RunId == run.RunId);
        if (index < 0)
        {
            _runs.Add(run);
        }
        else
        {
            _runs[index] = run;
        }
        Newest = _runs.MaxBy(it => it.Fence);
    }

    public void Renew(Lease lease, DateTimeOffset now) => (Holder, LeaseUntil) = (lease.Holder, now + lease.Length);

    /// <summary>Takes a crash back, where its holder held the thread with an older fence.</summary>
    public void Acquit(long fence) => Crashes = Newest?.Fence > fence && Crashes > 0 ? Crashes - 1 : Crashes;

    /// <summary>Ends the lease and fences its holder off.</summary>
    public void Rescue()
    {
        Holder = null;
        Crashes++;
        Put(Newest! with { Fence = Newest.Fence + 1, Status = RunStatus.Pending, LastSequence = Newest.LastSequence + Start.SequenceGap });
    }

    private void CheckFence(StepCommit commit, DateTimeOffset now)
    {
        var isOurs = Holder is not null && Holder == commit.Lease?.Holder;
        if (Newest is { } newest && (newest.Fence > commit.Fence || (commit.Acquires && newest.Fence == commit.Fence && !isOurs)))
        {
            throw new FaultException(
                FaultCodes.LeaseLost, $"the thread '{commit.ThreadId}' was taken over by another worker", "nothing was changed; let the other go on");
        }
        if (commit.Acquires && Holder is not null && !isOurs && LeaseUntil > now)
        {
            throw new FaultException(
                FaultCodes.ThreadBusy, $"another worker runs the thread '{commit.ThreadId}'", $"wait for it; its lease ends at {LeaseUntil:HH:mm:ss}Z unless it is renewed");
        }
    }

    public LoadedCheckpoint? Load(string ns, string? id) => _spaces.TryGetValue(ns, out var space) ? space.Load(id) : null;

    public IEnumerable<StoredCheckpoint> List(CheckpointQuery query) => _spaces
        .Where(space => query.Namespace is null || query.Namespace == space.Key)
        .SelectMany(space => space.Value.Checkpoints.Values)
        .Where(it => query.Before is null || string.CompareOrdinal(it.Id, query.Before) < 0)
        .Where(it => query.Source is null || query.Source == it.Source)
        .Where(it => query.RunId is null || query.RunId == it.RunId)
        .OrderByDescending(it => it.Id, StringComparer.Ordinal)
        .Take(query.Limit);

    public StoredChange? ChangeAt(CheckpointKey key) => _spaces.TryGetValue(key.Namespace, out var space) ? space.ChangeAt(key) : null;

    public InMemoryThread? CopyUpTo(string checkpointId, string toThreadId)
    {
        if (!_spaces.TryGetValue("", out var root) || root.CopyUpTo(checkpointId, toThreadId) is not { } space)
        {
            return null;
        }
        var copy = new InMemoryThread();
        copy._spaces[""] = space;
        return copy;
    }

    public int Prune(int keep) => _spaces.Values.Sum(space => space.Prune(keep));

    private Space SpaceOf(string ns)
    {
        if (!_spaces.TryGetValue(ns, out var space))
        {
            _spaces[ns] = space = new Space();
        }
        return space;
    }

    /// <summary>The checkpoints of one namespace.</summary>
    private sealed class Space : ICheckpointHistory
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
            var values = checkpoint.Channels.Where(channel => !channel.IsDelta)
                .Select(channel => new StoredValue(channel.Name, channel.Version, _values.GetValueOrDefault((channel.Name, channel.Version))))
                .Where(value => value.Json.Length > 0).ToImmutableArray();
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
                key, checkpoint.Updated,
                [.. writes.Where(write => !SpecialChannel.Contains(write.Channel) && checkpoint.Updated.Contains(write.Channel))],
                [.. checkpoint.Channels.Where(channel => checkpoint.Updated.Contains(channel.Name))
                    .Select(channel => new StoredValue(channel.Name, channel.Version, ValueOf(channel.Name, channel.Version))).Where(value => value.Json.Length > 0)]);
        }

        public Space? CopyUpTo(string id, string threadId)
        {
            if (!Checkpoints.ContainsKey(id))
            {
                return null;
            }
            var copy = new Space { _newest = id };
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

        public string? ParentOf(string checkpointId) => Find(checkpointId)?.ParentId is { } parent && Checkpoints.ContainsKey(parent) ? parent : null;

        public StoredCheckpoint? Find(string checkpointId) => Checkpoints.GetValueOrDefault(checkpointId);

        public ReadOnlyMemory<byte> ValueOf(string channel, int version) => _values.GetValueOrDefault((channel, version));

        public IReadOnlyList<StoredWrite> WritesUnder(string id) => _writes.TryGetValue(id, out var writes)
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
}

/// <summary>An outcome in memory.</summary>
internal sealed record InMemoryOutcome(Run Run, StoredResult Result, string TraceParent, DateTimeOffset CreatedAt)
{
    public bool IsAnnounced { get; set; }

    public bool IsTaken { get; set; }
}
