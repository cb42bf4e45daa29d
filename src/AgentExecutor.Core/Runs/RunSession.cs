using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Core.Runs;

/// <summary>
/// One attempt of one run, shared by its root graph and all sub-graphs: the only way by which they commit, tell of events and
/// count what they use. Commits of one run follow each other; the run's own state rides on each.
/// </summary>
public sealed class RunSession(Run run, RunServices services, RunLimits limits, StoredDefinition? definition = null, CancellationToken stopping = default) : IDisposable
{
    private readonly SemaphoreSlim _commits = new(1, 1);
    private readonly Lock _events = new();
    private Run _run = run;
    private long _sequence = run.LastSequence;
    private StoredDefinition? _definition = definition;
    private bool _isFirst = true;

    public Run Run => Volatile.Read(ref _run);

    public RunServices Services { get; } = services;

    /// <summary>Someone asked the run to stop at its next checkpoint.</summary>
    public CancellationToken Stopping { get; } = stopping;

    public UsageMeter Usage { get; } = new(run.Usage, limits, services.Time);

    /// <summary>Answers to interrupts by id, from whoever resumed the run or from an earlier attempt.</summary>
    public ConcurrentDictionary<string, JsonElement> Answers { get; } = new();

    public string ThreadId => Run.ThreadId;

    /// <summary>Commits a step together with the run's usage and, where given, its transition; then tells of <paramref name="after"/> and the transition's events.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.LeaseLost"/>: another worker has the thread; nothing was changed.</exception>
    public async ValueTask CommitAsync(
        StepCommit commit, RunEvent? after, Func<Run, DateTimeOffset, RunChange>? transition, CancellationToken cancellationToken)
    {
        await _commits.WaitAsync(cancellationToken);
        try
        {
            var now = Services.Time.GetUtcNow();
            var (next, events) = Next(after, transition, now);
            var started = Services.Time.GetTimestamp();
            await Services.Checkpoints.CommitAsync(commit with { Fence = next.Fence, Run = next, Definition = _definition, Acquires = _isFirst }, cancellationToken);
            (_definition, _isFirst) = (null, false);
            Telemetry.CheckpointCommits.Add(1);
            Telemetry.CheckpointCommitSeconds.Record(Services.Time.GetElapsedTime(started).TotalSeconds);
            Volatile.Write(ref _run, next);
            Tell(after, events);
        }
        finally
        {
            _commits.Release();
        }
    }

    /// <summary>Commits a transition of the run alone.</summary>
    public ValueTask CommitAsync(Func<Run, DateTimeOffset, RunChange> transition, CancellationToken cancellationToken) =>
        CommitAsync(new StepCommit { ThreadId = ThreadId, Fence = 0 }, null, transition, cancellationToken);

    public void Publish(RunEvent value)
    {
        lock (_events)
        {
            Services.Events.Publish(new EventEnvelope(ThreadId, ++_sequence, Services.Time.GetUtcNow(), value));
        }
    }

    public void Dispose() => _commits.Dispose();

    private RunChange Next(RunEvent? after, Func<Run, DateTimeOffset, RunChange>? transition, DateTimeOffset now)
    {
        var sequence = Volatile.Read(ref _sequence) + (after is null ? 0 : 1);
        var current = Run with { Usage = Usage.Current, UpdatedAt = now, LastSequence = sequence };
        if (transition is null)
        {
            return new RunChange(current, []);
        }
        var change = transition(current, now);
        return change with { Run = change.Run with { LastSequence = sequence + change.Events.Length } };
    }

    private void Tell(RunEvent? after, ImmutableArray<RunEvent> events)
    {
        if (after is not null)
        {
            Publish(after);
        }
        foreach (var told in events)
        {
            Publish(told);
        }
    }
}
