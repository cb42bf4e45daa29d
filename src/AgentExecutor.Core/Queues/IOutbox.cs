using System.Collections.Immutable;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;

namespace AgentExecutor.Core.Queues;

/// <summary>
/// The outcomes of submitted runs, each stored by the commit that produced it, and whether they were published. An outbox shares its rows
/// with an <see cref="IRunQueue"/>. The conformance tests specify it.
/// </summary>
public interface IOutbox
{
    /// <summary>
    /// Passes unpublished outcomes, oldest first, to <paramref name="publish"/> and marks them as published when it returns. If it throws,
    /// none is marked. No other relay gets these outcomes in the meantime, unless this process dies. Returns the number of outcomes.
    /// </summary>
    ValueTask<int> RelayAsync(
        int atMost,
        Func<ImmutableArray<Outcome>, CancellationToken, Task> publish,
        CancellationToken cancellationToken
    );

    /// <summary>
    /// Does the same for other messages that commits have stored: calls of external tools, and further announcements of questions.
    /// </summary>
    ValueTask<int> RelayNoticesAsync(
        int atMost,
        Func<ImmutableArray<Notice>, CancellationToken, Task> publish,
        CancellationToken cancellationToken
    );

    /// <summary>Returns the newest outcome of each of these runs. Runs without an outcome are omitted.</summary>
    ValueTask<ImmutableArray<Outcome>> FindAsync(ImmutableArray<RunKey> runs, CancellationToken cancellationToken);

    /// <summary>
    /// Returns the status of each of these runs in one query, without the JSON of the outcomes. Runs that are not stored are omitted.
    /// </summary>
    ValueTask<ImmutableArray<RunOutcomeStatus>> FindStatusesAsync(ImmutableArray<RunKey> runs, CancellationToken cancellationToken);

    /// <summary>
    /// Deletes at most <paramref name="atMost"/> outcomes, and as many other messages, that were published and are older than this, and
    /// returns the number of outcomes.
    /// </summary>
    ValueTask<int> DropAsync(TimeSpan olderThan, int atMost, CancellationToken cancellationToken);
}

/// <summary>A message that was stored by the commit of a step, besides the outcome of the run.</summary>
/// <param name="Run">The run.</param>
/// <param name="Id">The message id for every publication of this message, and of no other message.</param>
/// <param name="Type">The type of the CloudEvent.</param>
/// <param name="Subject">The subject to publish to.</param>
/// <param name="Json">The data of the event, UTF-8 JSON.</param>
/// <param name="TraceParent">The W3C trace context of the request, or "" if it had none.</param>
/// <param name="CreatedAt">When the message was stored.</param>
/// <param name="Age">How long ago that was, by the store's clock.</param>
public sealed record Notice(
    RunKey Run,
    string Id,
    string Type,
    string Subject,
    ReadOnlyMemory<byte> Json,
    string TraceParent,
    DateTimeOffset CreatedAt,
    TimeSpan Age
);

/// <summary>Identifies a run.</summary>
public readonly record struct RunKey(string ThreadId, string RunId);

/// <summary>The status of a run and of its newest outcome.</summary>
/// <param name="Run">The run.</param>
/// <param name="Status">The current status of the run.</param>
/// <param name="Outcome">The <see cref="Outcome.Sequence"/> of its newest outcome, or 0 if none is stored.</param>
/// <param name="IsPublished">True if that outcome was published and the bus has confirmed it.</param>
public readonly record struct RunOutcomeStatus(RunKey Run, RunStatus Status, long Outcome, bool IsPublished)
{
    public bool IsFinished => Status is RunStatus.Completed or RunStatus.Failed or RunStatus.Cancelled;
}

/// <summary>The outcome of a run: its end, or the interrupt at which it waits.</summary>
/// <param name="Run">The run.</param>
/// <param name="Sequence">Identifies this outcome within its thread, however often it is published.</param>
/// <param name="Status">Completed, failed, cancelled or interrupted.</param>
/// <param name="Json">UTF-8 JSON, as <see cref="RunResult"/> writes it.</param>
/// <param name="TraceParent">The W3C trace context of the request, or "" if it had none.</param>
/// <param name="CreatedAt">When the outcome was stored.</param>
/// <param name="Age">How long ago that was, by the store's clock.</param>
/// <param name="IsPublished">True if the outcome was published and the bus has confirmed it.</param>
public sealed record Outcome(
    RunKey Run,
    long Sequence,
    RunStatus Status,
    ReadOnlyMemory<byte> Json,
    string TraceParent,
    DateTimeOffset CreatedAt,
    TimeSpan Age,
    bool IsPublished
)
{
    /// <summary>
    /// The message id for every publication of this outcome, and of no other outcome. The time at which the outcome was stored is part of
    /// it, because a thread that is deleted and submitted again numbers its events from 1 again.
    /// </summary>
    public string Id => $"{Run.ThreadId}:{Sequence}:{CreatedAt.UtcTicks / TimeSpan.TicksPerMicrosecond}";
}
