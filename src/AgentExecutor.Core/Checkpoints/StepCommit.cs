using System.Collections.Immutable;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Checkpoints;

/// <summary>
/// What one step changes, applied as a whole or not at all. Writes go under <see cref="WritesUnder"/>, the checkpoint from which
/// the superstep started; the new checkpoint and its values follow.
/// </summary>
public sealed record StepCommit
{
    public required string ThreadId { get; init; }

    /// <summary>The writer's fencing token. A commit with an older token than the thread's newest run changes nothing.</summary>
    public required long Fence { get; init; }

    /// <summary>The first commit of an attempt: the fence must be newer than any, so that of two workers that take a thread at once one fails.</summary>
    public bool Acquires { get; init; }

    /// <summary>Held, and renewed by each commit, for as long as <see cref="Run"/> is running; null where the store keeps no leases.</summary>
    public Lease? Lease { get; init; }

    public string Namespace { get; init; } = "";

    public string? WritesUnder { get; init; }

    public ImmutableArray<StoredWrite> Writes { get; init; } = [];

    public StoredCheckpoint? Checkpoint { get; init; }

    /// <summary>The whole values of channels that changed (delta channels: only when a whole value is due).</summary>
    public ImmutableArray<StoredValue> Values { get; init; } = [];

    /// <summary>The run's new state, where it changes.</summary>
    public Run? Run { get; init; }

    /// <summary>The definition that <see cref="Run"/> runs, stored once by its hash.</summary>
    public StoredDefinition? Definition { get; init; }

    /// <summary>What is told of this step, for the thread's event log.</summary>
    public StoredEvents? Events { get; init; }

    /// <summary>Tool calls that are about to be made or have ended, for the journal; a later entry of a task replaces the earlier.</summary>
    public ImmutableArray<StoredToolCall> ToolCalls { get; init; } = [];

    /// <summary>Model calls that are over and had something reserved in a shared budget.</summary>
    public ImmutableArray<BudgetSettlement> Settlements { get; init; } = [];

    /// <summary>What else the thread has reserved in shared budgets is released: nothing of it runs any more.</summary>
    public bool ReleasesReservations { get; init; }

    /// <summary>The outcome to be announced, if the run was submitted.</summary>
    public StoredResult? Result { get; init; }
}

/// <summary>An agent definition as it was handed in.</summary>
/// <param name="Hash">SHA-256 of the bytes, in lower-case hex.</param>
/// <param name="Json">UTF-8 JSON.</param>
public sealed record StoredDefinition(string Hash, ReadOnlyMemory<byte> Json);
