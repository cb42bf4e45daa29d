using System.Collections.Immutable;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Queues;

/// <summary>
/// The runs that wait for workers, and the leases of the runs that workers hold. A queue shares its threads with a <see
/// cref="Checkpoints.ICheckpointStore"/>, whose commits renew and end leases. The conformance tests specify it.
/// </summary>
public interface IRunQueue
{
    /// <summary>
    /// Stores runs for workers to claim, all in one transaction. They are durable when the call returns. A run that was submitted before is
    /// not submitted again but returned with its current state. The answers have the order of the submissions.
    /// </summary>
    /// <param name="claimLease">
    /// If not null, runs that are due, have no concurrency key and start a new thread are claimed at once with this lease.
    /// </param>
    ValueTask<ImmutableArray<SubmittedRun>> SubmitAsync(
        ImmutableArray<RunSubmission> submissions,
        Lease? claimLease,
        CancellationToken cancellationToken
    );

    /// <summary>
    /// Claims at most <paramref name="atMost"/> due runs: the lowest priority number first, then the run that has been due for longest. The
    /// runs of one thread are claimed one after another, and no more runs with the same concurrency key than its limit allows. A claimed
    /// run is running and leased.
    /// </summary>
    ValueTask<ImmutableArray<ClaimedRun>> ClaimAsync(Lease lease, int atMost, CancellationToken cancellationToken);

    /// <summary>Renews these leases in one call, and returns those that are still held.</summary>
    ValueTask<ImmutableHashSet<HeldRun>> RenewAsync(Lease lease, ImmutableArray<HeldRun> held, CancellationToken cancellationToken);

    /// <summary>
    /// Ends expired leases, returns their runs to the queue, and returns these runs. Their previous holders can no longer commit. A run
    /// with a request to cancel is not returned to the queue and keeps its lease: the caller must commit its cancellation.
    /// </summary>
    /// <param name="held">
    /// The runs that the caller's own process executes. Their leases are never ended, because the process is alive and merely renews late.
    /// </param>
    /// <param name="afterStart">
    /// No lease is ended until the store has been running for this long, because holders could not renew while it was down.
    /// </param>
    ValueTask<ImmutableArray<RescuedRun>> RescueAsync(
        ImmutableArray<HeldRun> held,
        TimeSpan afterStart,
        CancellationToken cancellationToken
    );

    /// <summary>
    /// Removes the crash that <see cref="RescueAsync"/> counted for each of these runs. Their worker lost the lease because it was slow,
    /// not because it crashed.
    /// </summary>
    ValueTask UncountCrashAsync(ImmutableArray<HeldRun> lost, CancellationToken cancellationToken);

    /// <summary>Returns the current state of a run, or null if there is none.</summary>
    ValueTask<Run?> FindAsync(string threadId, string runId, CancellationToken cancellationToken);

    /// <summary>
    /// Stores a request to cancel a run that a worker holds. <see cref="FindCancelRequestsAsync"/> returns the request to that worker. From
    /// then on the run can only end as cancelled: a commit that would end it otherwise, interrupt it or return it to the queue is refused
    /// with <see cref="FaultCodes.CancelRequested"/>. Returns false, and stores nothing, if no worker holds this run, even if a worker
    /// holds another run of the thread.
    /// </summary>
    ValueTask<bool> RequestCancelAsync(string threadId, string runId, CancellationToken cancellationToken);

    /// <summary>Returns the runs that the lease's holder executes and for which there is a request to cancel.</summary>
    ValueTask<ImmutableArray<HeldRun>> FindCancelRequestsAsync(Lease lease, CancellationToken cancellationToken);

    /// <summary>
    /// Returns when a run may have become due. It may return early, and a wake-up may be lost, so callers must also poll.
    /// </summary>
    Task WaitAsync(CancellationToken cancellationToken);
}

/// <summary>A run to be stored for workers.</summary>
/// <param name="Run">The pending run.</param>
/// <param name="Definition">The agent definition to execute.</param>
/// <param name="Input">The input payload, UTF-8 JSON.</param>
public sealed record RunSubmission(Run Run, Checkpoints.StoredDefinition Definition, ReadOnlyMemory<byte> Input)
{
    public const int DefaultPriority = 5;
    public const int LastPriority = 9;

    /// <summary>The priority, from 0 (claimed first) to <see cref="LastPriority"/> (claimed last).</summary>
    public int Priority { get; init; } = DefaultPriority;

    /// <summary>How long the run waits before it is due.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Runs with the same key share a limit, or null for no limit.</summary>
    public string? ConcurrencyKey { get; init; }

    /// <summary>How many runs with this key may be running at the same time.</summary>
    public int ConcurrencyLimit { get; init; } = 1;

    /// <summary>
    /// Distinguishes a repetition of the same request from a different request with the same ids. "" if that is not checked.
    /// </summary>
    public string RequestHash { get; init; } = "";

    /// <summary>The W3C trace context of the request. The run's span and its result continue it.</summary>
    public string TraceParent { get; init; } = "";
}

/// <summary>The result of a submission.</summary>
/// <param name="Run">The current state of the run.</param>
/// <param name="IsNew">False if the run was submitted before.</param>
/// <param name="RequestHash">The hash of the submission that stored the run.</param>
/// <param name="Claimed">Set if the run was claimed at once.</param>
public sealed record SubmittedRun(Run Run, bool IsNew, string RequestHash, ClaimedRun? Claimed = null);

/// <summary>A run that a worker has claimed.</summary>
/// <param name="Run">The running run, with the fencing token for the worker's commits.</param>
/// <param name="Definition">The agent definition to execute.</param>
/// <param name="Input">The input payload, UTF-8 JSON.</param>
/// <param name="Crashes">How many workers have lost the run since its last checkpoint.</param>
public sealed record ClaimedRun(Run Run, Checkpoints.StoredDefinition Definition, ReadOnlyMemory<byte> Input, int Crashes)
{
    /// <summary>The W3C trace context of the request, or "" if it had none.</summary>
    public string TraceParent { get; init; } = "";

    /// <summary>True if the run was claimed when it was submitted, so nothing else is stored for its thread yet.</summary>
    public bool IsNewThread { get; init; }
}

/// <summary>A run that a worker holds, identified by its thread and the fencing token.</summary>
public readonly record struct HeldRun(string ThreadId, long Fence);

/// <summary>A run whose worker let its lease expire.</summary>
/// <param name="ThreadId">The thread.</param>
/// <param name="RunId">The run.</param>
/// <param name="Crashes">How many workers have lost the run since its last checkpoint.</param>
/// <param name="IsDue">
/// True if the run was submitted and waits for another worker. False if it was started from a command line and must be resumed there.
/// </param>
public sealed record RescuedRun(string ThreadId, string RunId, int Crashes, bool IsDue)
{
    /// <summary>True if there is a request to cancel the run. The caller must cancel it.</summary>
    public bool IsToCancel { get; init; }
}
