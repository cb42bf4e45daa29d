using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Core.InMemory;

/// <summary>One thread in memory. Its owner locks it.</summary>
internal sealed class InMemoryThread(string threadId, WaitingRuns queue)
{
    private readonly Dictionary<string, InMemoryNamespace> _namespaces = new(StringComparer.Ordinal);

    private readonly Dictionary<string, Run> _runs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, QueuedRun> _submitted = new(StringComparer.Ordinal);
    private readonly SortedSet<QueuedRun> _waiting = new(QueuedRun.ByAge);
    private string? _lastHolder;
    private int _pending;

    public string Id => threadId;

    /// <summary>True once the store has deleted the thread. Anything that is stored here afterwards is lost.</summary>
    public bool IsDeleted { get; private set; }

    /// <summary>The run with the greatest fencing token: the newest run that a worker has claimed, or the first one that waits.</summary>
    public Run? Newest { get; private set; }

    public string? Holder { get; private set; }

    public DateTimeOffset LeaseUntil { get; private set; }

    /// <summary>How many leases have expired since the last checkpoint.</summary>
    public int Crashes { get; private set; }

    public Dictionary<string, StoredToolCall> ToolCalls { get; } = new(StringComparer.Ordinal);

    public InMemoryLog Log { get; } = new();

    public InMemoryInterrupts Interrupts { get; } = new();

    /// <summary>The position of the event log, or null if there is no run.</summary>
    public LogPosition? Position => Newest is { } run ? new LogPosition(run.ThreadId, run.LastSequence, run.Status) : null;

    public SortedDictionary<long, InMemoryOutcome> Outcomes { get; } = [];

    /// <summary>Returns the submission of the run, or null. Only the outcomes of submitted runs are published.</summary>
    public RunSubmission? FindSubmission(string runId) => _submitted.GetValueOrDefault(runId)?.Submission;

    /// <summary>The id of the run for which there is a request to cancel.</summary>
    public string? CancelRequestedRun { get; set; }

    public void Commit(StepCommit commit, DateTimeOffset now)
    {
        Check(commit, now);
        if (commit.Checkpoint is not null || !commit.Writes.IsEmpty)
        {
            NamespaceOf(commit.Namespace).Commit(commit);
        }
        foreach (var call in commit.ToolCalls)
        {
            ToolCalls[call.TaskId] = call;
        }
        Interrupts.Apply(commit, now);
        if (commit.Events is { } events)
        {
            Log.Add(events);
        }
        if (commit.Result is { } result && FindSubmission(commit.Run!.RunId) is { } submission)
        {
            Outcomes.TryAdd(result.Sequence, new InMemoryOutcome(commit.Run, result, submission.TraceParent, now));
        }
        Crashes = commit.Checkpoint is null && !commit.Acquires ? Crashes : 0;
        if (commit.Run is { } run)
        {
            CancelRequestedRun = run.Status == RunStatus.Running && CancelRequestedRun == run.RunId ? CancelRequestedRun : null;
            Put(run);
            if (commit.Lease is { } lease && run.Status == RunStatus.Running)
            {
                Renew(lease, now);
            }
            else
            {
                (Holder, _lastHolder) = (null, commit.Acquires ? commit.Lease?.Holder : _lastHolder);
                UpdateQueue();
            }
        }
    }

    /// <summary>Returns true if a worker holds the thread, a run waits for it, or an outcome has not been published.</summary>
    public bool IsInUse(DateTimeOffset now) =>
        (Holder is not null && (LeaseUntil > now || _submitted.ContainsKey(Newest!.RunId)))
        || _pending > 0
        || Outcomes.Values.Any(static outcome => !outcome.IsPublished);

    /// <summary>The hashes of the definitions of its runs.</summary>
    public IReadOnlyList<string> Definitions => [.. _runs.Values.Select(static run => run.DefinitionHash)];

    public Run? Find(string runId) => _runs.GetValueOrDefault(runId);

    /// <summary>Adds a submitted run.</summary>
    public void Submit(Run run, QueuedRun queued)
    {
        _submitted[run.RunId] = queued;
        Put(run);
        UpdateQueue();
    }

    /// <summary>Replaces a waiting run by one that the lease's holder has claimed.</summary>
    public void Take(Run run, Lease lease, DateTimeOffset now)
    {
        Put(run);
        Renew(lease, now);
    }

    public void Renew(Lease lease, DateTimeOffset now)
    {
        (Holder, _lastHolder, LeaseUntil) = (lease.Holder, lease.Holder, now + lease.Length);
        UpdateQueue();
    }

    public void Delete()
    {
        IsDeleted = true;
        Interrupts.Clear();
        queue.Update(threadId, null, null);
    }

    /// <summary>Removes a crash that was counted for the holder of an older fencing token.</summary>
    public void UncountCrash(long fence) => Crashes = Newest?.Fence > fence && Crashes > 0 ? Crashes - 1 : Crashes;

    /// <summary>Ends the lease and prevents further commits of its holder.</summary>
    public void Rescue()
    {
        Holder = null;
        Crashes++;
        var lost = StatusRule.Unfinished(Newest!);
        Put(lost with { Fence = lost.Fence + 1, Status = RunStatus.Pending, LastSequence = lost.LastSequence + Start.SequenceGap });
        UpdateQueue();
    }

    private void Put(Run run)
    {
        _pending += (run.Status == RunStatus.Pending ? 1 : 0) - (Find(run.RunId)?.Status == RunStatus.Pending ? 1 : 0);
        _runs[run.RunId] = run;
        if (Newest is null || Newest.RunId == run.RunId || run.Fence > Newest.Fence)
        {
            Newest = run;
        }
        if (_submitted.TryGetValue(run.RunId, out var queued))
        {
            _ = run.Status == RunStatus.Pending ? _waiting.Add(queued) : _waiting.Remove(queued);
        }
    }

    /// <summary>Reports to the queue which run is next, and which concurrency key the running one has.</summary>
    private void UpdateQueue()
    {
        if (_submitted.Count > 0)
        {
            queue.Update(
                threadId,
                Holder is null ? _waiting.Min : null,
                Holder is null ? null : FindSubmission(Newest!.RunId)?.ConcurrencyKey
            );
        }
    }

    /// <summary>
    /// Allows a commit if it repeats the last one, if it continues a running run, or if it acquires, with a greater fencing token, a thread
    /// that no worker holds and for which no submitted run waits. As a result, ended runs stay ended and deleted threads stay deleted.
    /// </summary>
    private void Check(StepCommit commit, DateTimeOffset now)
    {
        if (
            commit.Run is { } changed
            && Find(changed.RunId) is { } known
            && !StatusRule.Allows(known.Status, changed.Status, commit.Acquires)
        )
        {
            throw LeaseLost(commit);
        }
        if (Newest is not { } newest)
        {
            if (commit is { Acquires: false, Lease: not null, Run: not null })
            {
                throw LeaseLost(commit);
            }
        }
        else if (commit.Run is not { } run)
        {
            if (newest.Fence > commit.Fence)
            {
                throw LeaseLost(commit);
            }
        }
        else if (!IsRepetition(newest, commit, run))
        {
            CheckAgainst(newest, commit, run, now);
        }
    }

    /// <summary>A commit that acquires without a lease never counts as a repetition.</summary>
    private bool IsRepetition(Run newest, StepCommit commit, Run run) =>
        newest.Fence == commit.Fence
        && newest.RunId == run.RunId
        && newest.Status == run.Status
        && newest.LastSequence == run.LastSequence
        && (!commit.Acquires || (commit.Lease is { } lease && lease.Holder == _lastHolder));

    private void CheckAgainst(Run newest, StepCommit commit, Run run, DateTimeOffset now)
    {
        var isOlder = newest.Fence < commit.Fence;
        if (commit.Acquires ? !isOlder : !isOlder && !(newest.Fence == commit.Fence && newest.Status == RunStatus.Running))
        {
            throw LeaseLost(commit);
        }
        if (commit.Acquires && Holder is not null && LeaseUntil > now)
        {
            throw new FaultException(
                FaultCodes.ThreadBusy,
                $"another worker runs the thread '{commit.ThreadId}'",
                $"wait until it has ended; its lease ends at {LeaseUntil:HH:mm:ss}Z unless it is renewed"
            );
        }
        if (Holder is not null && CancelRequestedRun == run.RunId && newest.RunId == run.RunId && commit.IsBarredByCancel)
        {
            throw commit.CancelRequested();
        }
        if (
            commit.Acquires
            && newest.Status is RunStatus.Pending or RunStatus.Running
            && newest.RunId != run.RunId
            && _submitted.ContainsKey(newest.RunId)
        )
        {
            throw new FaultException(
                FaultCodes.ThreadBusy,
                $"a submitted run waits for the thread '{commit.ThreadId}'",
                "wait until a worker has executed it, or submit your run to the queue"
            );
        }
    }

    private static FaultException LeaseLost(StepCommit commit) =>
        new(
            FaultCodes.LeaseLost,
            $"another worker has taken over the thread '{commit.ThreadId}'",
            "nothing was changed; the other worker continues the run"
        );

    public LoadedCheckpoint? Load(string ns, string? id) => _namespaces.TryGetValue(ns, out var found) ? found.Load(id) : null;

    public IEnumerable<StoredCheckpoint> List(CheckpointQuery query) =>
        _namespaces
            .Where(it => query.Namespace is null || query.Namespace == it.Key)
            .SelectMany(it => it.Value.Checkpoints.Values)
            .Where(it => query.Before is null || string.CompareOrdinal(it.Id, query.Before) < 0)
            .Where(it => query.Source is null || query.Source == it.Source)
            .Where(it => query.RunId is null || query.RunId == it.RunId)
            .OrderByDescending(it => it.Id, StringComparer.Ordinal)
            .Take(query.Limit);

    public StoredChange? ChangeAt(CheckpointKey key) => _namespaces.TryGetValue(key.Namespace, out var found) ? found.ChangeAt(key) : null;

    public InMemoryThread? CopyUpTo(string checkpointId, string toThreadId)
    {
        if (!_namespaces.TryGetValue("", out var root) || root.CopyUpTo(checkpointId, toThreadId) is not { } copied)
        {
            return null;
        }
        var copy = new InMemoryThread(toThreadId, queue);
        copy._namespaces[""] = copied;
        return copy;
    }

    public int Prune(int keep) => _namespaces.Values.Sum(it => it.Prune(keep));

    private InMemoryNamespace NamespaceOf(string ns)
    {
        if (!_namespaces.TryGetValue(ns, out var found))
        {
            _namespaces[ns] = found = new InMemoryNamespace();
        }
        return found;
    }
}
