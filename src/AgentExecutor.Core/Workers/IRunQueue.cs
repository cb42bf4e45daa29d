using System.Collections.Immutable;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Workers;

/// <summary>
/// The runs that wait for workers, and the leases of those that workers have. It shares its threads with a <see cref="Checkpoints.ICheckpointStore"/>, whose
/// commits renew and end leases. The contract's text is the conformance suite.
/// </summary>
public interface IRunQueue
{
    /// <summary>
    /// Stores runs for workers to take, all in one go; durable when the call returns. A run that was submitted before is not submitted again: it is returned
    /// as it stands. The answers come in the order of the submissions.
    /// </summary>
    /// <param name="takeFor">
    /// Takes those at once that are new on a new thread, due, and without a concurrency key: each is then running and leased, as if it had been claimed.
    /// </param>
    ValueTask<ImmutableArray<SubmittedRun>> SubmitAsync(ImmutableArray<RunSubmission> submissions, Lease? takeFor, CancellationToken cancellationToken);

    /// <summary>
    /// Takes runs that are due, at most so many: the lowest priority number first, then the longest due. A thread's runs are taken one after another, and of
    /// runs with one concurrency key no more than its limit. Each is running from then on, and leased.
    /// </summary>
    ValueTask<ImmutableArray<ClaimedRun>> ClaimAsync(Lease lease, int atMost, CancellationToken cancellationToken);

    /// <summary>Renews these leases, all in one go; returns those that are still held.</summary>
    ValueTask<ImmutableHashSet<HeldRun>> RenewAsync(Lease lease, ImmutableArray<HeldRun> held, CancellationToken cancellationToken);

    /// <summary>Ends the leases that have run out, and makes their runs due again; returns those runs. Their holders can commit nothing any more.</summary>
    /// <param name="afterStart">No lease is ended until the store itself has been up for so long: its holders could not renew it.</param>
    ValueTask<ImmutableArray<RescuedRun>> RescueAsync(TimeSpan afterStart, CancellationToken cancellationToken);

    /// <summary>
    /// Takes back the crash that <see cref="RescueAsync"/> counted for each of these: their worker lost the lease, but lives, so it was slow and the run no poison.
    /// </summary>
    ValueTask AcquitAsync(ImmutableArray<HeldRun> lost, CancellationToken cancellationToken);

    /// <summary>A run as it stands; null where there is none.</summary>
    ValueTask<Run?> FindAsync(string threadId, string runId, CancellationToken cancellationToken);

    /// <summary>
    /// Asks the worker that has the thread to cancel its run; whichever has it, also after a takeover, hears of it by <see cref="CancelledAsync"/>. False where no
    /// worker has it: nothing is asked then.
    /// </summary>
    ValueTask<bool> AskToCancelAsync(string threadId, CancellationToken cancellationToken);

    /// <summary>The runs that the lease's holder has and that someone asked to cancel.</summary>
    ValueTask<ImmutableArray<HeldRun>> CancelledAsync(Lease lease, CancellationToken cancellationToken);

    /// <summary>Returns when a run may have become due, or early; a wake-up may be lost, so a poll stands behind it.</summary>
    Task WaitAsync(CancellationToken cancellationToken);
}

/// <summary>A run to be stored for workers.</summary>
/// <param name="Run">The run, pending.</param>
/// <param name="Definition">What it runs.</param>
/// <param name="Input">The input payload, UTF-8 JSON.</param>
public sealed record RunSubmission(Run Run, Checkpoints.StoredDefinition Definition, ReadOnlyMemory<byte> Input)
{
    public const int DefaultPriority = 5;
    public const int LastPriority = 9;

    /// <summary>0 is taken first, <see cref="LastPriority"/> last.</summary>
    public int Priority { get; init; } = DefaultPriority;

    /// <summary>How long it waits before it is due.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Runs with the same key share a limit.</summary>
    public string? ConcurrencyKey { get; init; }

    /// <summary>How many runs with the key run at once.</summary>
    public int ConcurrencyLimit { get; init; } = 1;

    /// <summary>Tells the same request, sent again, from another with the same ids; "" where nobody asks.</summary>
    public string RequestHash { get; init; } = "";

    /// <summary>The W3C trace context of the request; carried to the run's span and its result.</summary>
    public string TraceParent { get; init; } = "";
}

/// <summary>What became of a submission.</summary>
/// <param name="Run">The run as it stands.</param>
/// <param name="IsNew">False where it was submitted before.</param>
/// <param name="RequestHash">That of the submission that stored it.</param>
/// <param name="Claimed">Where it was taken at once.</param>
public sealed record SubmittedRun(Run Run, bool IsNew, string RequestHash, ClaimedRun? Claimed = null);

/// <summary>A run that a worker has taken.</summary>
/// <param name="Run">The run, running, with the fence that the worker commits with.</param>
/// <param name="Definition">What it runs.</param>
/// <param name="Input">The input payload, UTF-8 JSON.</param>
/// <param name="Crashes">How many workers lost it since it last stored a checkpoint.</param>
public sealed record ClaimedRun(Run Run, Checkpoints.StoredDefinition Definition, ReadOnlyMemory<byte> Input, int Crashes)
{
    /// <summary>The W3C trace context of the request; "" where it came without.</summary>
    public string TraceParent { get; init; } = "";

    /// <summary>Nothing is stored of the thread yet: it was taken when it was submitted.</summary>
    public bool IsNewThread { get; init; }
}

/// <summary>A thread that a worker has, by the fence that it holds.</summary>
public readonly record struct HeldRun(string ThreadId, long Fence);

/// <summary>A run whose worker let its lease run out.</summary>
/// <param name="ThreadId">The thread.</param>
/// <param name="RunId">The run.</param>
/// <param name="Crashes">How many workers lost it since it last stored a checkpoint.</param>
/// <param name="IsDue">It was submitted, and waits for another worker; else for whoever started it by hand.</param>
public sealed record RescuedRun(string ThreadId, string RunId, int Crashes, bool IsDue);
