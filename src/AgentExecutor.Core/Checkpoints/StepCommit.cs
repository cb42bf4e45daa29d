using System.Collections.Immutable;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Checkpoints;

/// <summary>
/// The changes of one step, which are applied as a whole or not at all. Its writes are stored under <see cref="WritesUnder"/>, the
/// checkpoint from which the superstep started. Its new checkpoint and values follow from them.
/// </summary>
public sealed record StepCommit
{
    public required string ThreadId { get; init; }

    /// <summary>The writer's fencing token. A commit with an older token than that of the thread's newest run changes nothing.</summary>
    public required long Fence { get; init; }

    /// <summary>
    /// True for the first commit of an attempt. Its fencing token must be newer than any other, so that only one of two workers can acquire
    /// the thread.
    /// </summary>
    public bool Acquires { get; init; }

    /// <summary>The lease that each commit renews while <see cref="Run"/> is running. Null if the store keeps no leases.</summary>
    public Lease? Lease { get; init; }

    public string Namespace { get; init; } = "";

    public string? WritesUnder { get; init; }

    public ImmutableArray<StoredWrite> Writes { get; init; } = [];

    public StoredCheckpoint? Checkpoint { get; init; }

    /// <summary>The whole values of the channels that changed. Delta channels are included only when a whole value is due.</summary>
    public ImmutableArray<StoredValue> Values { get; init; } = [];

    /// <summary>The new state of the run, or null if it does not change.</summary>
    public Run? Run { get; init; }

    /// <summary>
    /// True if the commit ends the run other than as cancelled, interrupts it or returns it to the queue. A request to cancel forbids that.
    /// </summary>
    public bool IsBarredByCancel => Run is { Status: not (RunStatus.Running or RunStatus.Cancelled) };

    /// <summary>Creates the fault with which a store refuses such a commit.</summary>
    public FaultException CancelRequested() =>
        new(FaultCodes.CancelRequested, $"there is a request to cancel the run of the thread '{ThreadId}'", "end the run as cancelled");

    /// <summary>The definition that <see cref="Run"/> executes. It is stored once per hash.</summary>
    public StoredDefinition? Definition { get; init; }

    /// <summary>The events of this step for the thread's event log.</summary>
    public StoredEvents? Events { get; init; }

    /// <summary>
    /// Tool calls that are about to be made or have ended, for the journal. A later entry of a task replaces the earlier one.
    /// </summary>
    public ImmutableArray<StoredToolCall> ToolCalls { get; init; } = [];

    /// <summary>The questions and external tool calls that the step has stored. One that is stored already is not changed.</summary>
    public ImmutableArray<StoredInterrupt> Interrupts { get; init; } = [];

    /// <summary>The answers that the commit passes to the tasks that wait for them.</summary>
    public ImmutableArray<StoredAnswer> Answers { get; init; } = [];

    /// <summary>The messages that leave with the step. One that is stored already is not stored again.</summary>
    public ImmutableArray<StoredNotice> Notices { get; init; } = [];

    /// <summary>Model calls that have ended and for which an amount was reserved in a shared budget.</summary>
    public ImmutableArray<BudgetSettlement> Settlements { get; init; } = [];

    /// <summary>
    /// True to release everything else that the thread has reserved in shared budgets, because none of its calls is running any more.
    /// </summary>
    public bool ReleasesReservations { get; init; }

    /// <summary>The outcome to publish if the run was submitted.</summary>
    public StoredResult? Result { get; init; }
}

/// <summary>An agent definition as it was submitted.</summary>
/// <param name="Hash">The SHA-256 of the bytes, in lower-case hexadecimal.</param>
/// <param name="Json">UTF-8 JSON.</param>
public sealed record StoredDefinition(string Hash, ReadOnlyMemory<byte> Json);
