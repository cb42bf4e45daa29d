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
    /// Stores a run for a worker to take; durable when the call returns. A run that was submitted before is not submitted again: it is returned as it stands.
    /// </summary>
    ValueTask<Run> SubmitAsync(RunSubmission submission, CancellationToken cancellationToken);

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

    /// <summary>A run as it stands; null where there is none.</summary>
    ValueTask<Run?> FindAsync(string threadId, string runId, CancellationToken cancellationToken);

    /// <summary>Drops outcomes older than this from the outbox, at most so many; returns how many.</summary>
    ValueTask<int> DropResultsAsync(TimeSpan olderThan, int atMost, CancellationToken cancellationToken);

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
}

/// <summary>A run that a worker has taken.</summary>
/// <param name="Run">The run, running, with the fence that the worker commits with.</param>
/// <param name="Definition">What it runs.</param>
/// <param name="Input">The input payload, UTF-8 JSON.</param>
/// <param name="Crashes">How many workers lost it since it last stored a checkpoint.</param>
public sealed record ClaimedRun(Run Run, Checkpoints.StoredDefinition Definition, ReadOnlyMemory<byte> Input, int Crashes);

/// <summary>A thread that a worker has, by the fence that it holds.</summary>
public readonly record struct HeldRun(string ThreadId, long Fence);

/// <summary>A run whose worker let its lease run out.</summary>
/// <param name="ThreadId">The thread.</param>
/// <param name="RunId">The run.</param>
/// <param name="Crashes">How many workers lost it since it last stored a checkpoint.</param>
/// <param name="IsDue">It was submitted, and waits for another worker; else for whoever started it by hand.</param>
public sealed record RescuedRun(string ThreadId, string RunId, int Crashes, bool IsDue);
