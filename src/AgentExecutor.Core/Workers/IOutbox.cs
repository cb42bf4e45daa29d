using System.Collections.Immutable;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Workers;

/// <summary>
/// The outcomes of submitted runs, stored by the commits that brought them about, and whether they were announced. It shares its rows with an
/// <see cref="IRunQueue"/>. The contract's text is the conformance suite.
/// </summary>
public interface IOutbox
{
    /// <summary>
    /// Hands outcomes that were not announced, the oldest first, to <paramref name="announce"/>, and keeps that they were once it returns; where it throws, none was.
    /// No other relay has them meanwhile, unless this one dies. Returns how many.
    /// </summary>
    ValueTask<int> RelayAsync(int atMost, Func<ImmutableArray<Outcome>, CancellationToken, Task> announce, CancellationToken cancellationToken);

    /// <summary>The newest outcome of each of these runs; those without one are left out.</summary>
    ValueTask<ImmutableArray<Outcome>> FindAsync(ImmutableArray<RunKey> runs, CancellationToken cancellationToken);

    /// <summary>Drops outcomes that were announced longer ago than this, at most so many; returns how many.</summary>
    ValueTask<int> DropAsync(TimeSpan olderThan, int atMost, CancellationToken cancellationToken);
}

/// <summary>Names a run.</summary>
public readonly record struct RunKey(string ThreadId, string RunId);

/// <summary>Where a run came to stand, to be announced.</summary>
/// <param name="Run">The run.</param>
/// <param name="Sequence">With the thread it names this outcome, however often it is announced.</param>
/// <param name="Status">Completed, failed, cancelled, or interrupted.</param>
/// <param name="Json">UTF-8 JSON, as <see cref="RunResult"/> writes it.</param>
/// <param name="TraceParent">The W3C trace context of the request; "" where it came without.</param>
/// <param name="CreatedAt">When it was stored.</param>
/// <param name="Age">How long ago that was, by the store's clock.</param>
/// <param name="IsAnnounced">It was published, and the bus has confirmed it.</param>
public sealed record Outcome(
    RunKey Run, long Sequence, RunStatus Status, ReadOnlyMemory<byte> Json, string TraceParent, DateTimeOffset CreatedAt, TimeSpan Age, bool IsAnnounced)
{
    /// <summary>The same for every publish of this outcome.</summary>
    public string Id => $"{Run.ThreadId}:{Sequence}";
}
