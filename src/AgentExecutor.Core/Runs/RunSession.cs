using System.Collections.Concurrent;
using System.Text.Json;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Core.Runs;

/// <summary>
/// One attempt of one run, shared by its root graph and all sub-graphs: the only way by which they commit, tell of events and
/// count what they use. Commits of one run follow each other; the run's own state rides on each.
/// </summary>
public sealed class RunSession : IDisposable
{
    private readonly SemaphoreSlim _commits = new(1, 1);
    private readonly RunEvents _events;
    private Run _run;
    private StoredDefinition? _definition;
    private volatile bool _isHeld;

    /// <param name="run">The run, as its <see cref="Transitions.Start"/> made it.</param>
    /// <param name="services">The world.</param>
    /// <param name="limits">What it may use.</param>
    /// <param name="definition">To be stored with its first commit.</param>
    /// <param name="isHeld">The thread was acquired already; else the first commit acquires it.</param>
    /// <param name="budget">What it may spend on models, within the limits.</param>
    /// <param name="activity">Is told when the run waits.</param>
    /// <param name="stopping">Asks the run to stop at its next checkpoint.</param>
    public RunSession(
        Run run, RunServices services, RunLimits limits, StoredDefinition? definition = null, bool isHeld = false,
        BudgetPolicy? budget = null, RunActivity? activity = null, CancellationToken stopping = default)
    {
        Activity = activity ?? new RunActivity();
        (_run, _definition, _isHeld) = (run, definition, isHeld);
        (Services, Stopping) = (services, stopping);
        _events = new RunEvents(run.ThreadId, run.LastSequence, services);
        Usage = new UsageMeter(run.Usage, limits, services.Time);
        Journal = new RunJournal(this);
        Budget = new BudgetGate(this, budget ?? BudgetPolicy.None);
    }

    public Run Run => Volatile.Read(ref _run);

    public RunServices Services { get; }

    /// <summary>Someone asked the run to stop at its next checkpoint.</summary>
    public CancellationToken Stopping { get; }

    /// <summary>Another attempt, which may have died, was at what is due at the newest checkpoint.</summary>
    public bool IsTakenOver => Run.Attempt > 1;

    /// <summary>What it does besides waiting.</summary>
    public RunActivity Activity { get; }

    public UsageMeter Usage { get; }

    /// <summary>Before each model call: is there room for it?</summary>
    public BudgetGate Budget { get; }

    /// <summary>The tool calls that do something to the world.</summary>
    public RunJournal Journal { get; }

    /// <summary>Answers to interrupts by id, from whoever resumed the run or from an earlier attempt.</summary>
    public ConcurrentDictionary<string, JsonElement> Answers { get; } = new();

    public string ThreadId => Run.ThreadId;

    /// <summary>The thread is ours: acquired, and not let go of.</summary>
    public bool IsHeld => _isHeld && Run.Status == RunStatus.Running;

    /// <summary>Commits a step together with the run's usage and, where given, its transition; then tells of <paramref name="after"/> and the transition's events.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.LeaseLost"/>: another worker has the thread; nothing was changed.</exception>
    public async ValueTask CommitAsync(
        StepCommit commit, RunEvent? after, Func<Run, DateTimeOffset, RunChange>? transition, CancellationToken cancellationToken)
    {
        await _commits.WaitAsync(cancellationToken);
        try
        {
            var now = Services.Time.GetUtcNow();
            var (next, events) = Next(transition, now);
            var told = _events.Hold(after, events, now);
            next = next with { LastSequence = told.Last };
            var ended = Journal.TakeEnded();
            var settled = Budget.TakeSettled();
            var isStored = false;
            try
            {
                await StoreAsync(
                    commit with
                    {
                        Fence = next.Fence,
                        Run = next,
                        Definition = _definition,
                        Acquires = !_isHeld,
                        Lease = Services.Lease,
                        Events = told.ToStore(),
                        ToolCalls = commit.ToolCalls.IsEmpty ? ended : commit.ToolCalls.AddRange(ended),
                        Settlements = settled,
                        ReleasesReservations = next.Status != RunStatus.Running && (Budget.UsedLedger || next.Attempt > 1), // an attempt before this one may have left some
                        Result = Services.Lease is not null && RunResult.IsOutcome(next.Status) ? new StoredResult(told.Last, RunResult.Encode(next, after, events)) : null,
                    },
                    cancellationToken);
                isStored = true;
                Volatile.Write(ref _run, next);
                Count(next);
            }
            finally
            {
                if (!isStored)
                {
                    Journal.Return(ended);
                    Budget.Return(settled);
                }
                _events.Release(told, isStored);
            }
        }
        finally
        {
            _commits.Release();
        }
    }

    /// <summary>Commits a transition of the run alone.</summary>
    public ValueTask CommitAsync(Func<Run, DateTimeOffset, RunChange> transition, CancellationToken cancellationToken) =>
        CommitAsync(new StepCommit { ThreadId = ThreadId, Fence = 0 }, null, transition, cancellationToken);

    /// <summary>Waits for what is no work of the run's own; a run that is asked to stop waits no longer.</summary>
    /// <exception cref="OperationCanceledException">The run is to stop.</exception>
    public async ValueTask WaitAsync(Func<CancellationToken, ValueTask> wait, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, Stopping);
        Activity.End();
        try
        {
            await wait(either.Token);
        }
        finally
        {
            Activity.Begin();
        }
    }

    public void Publish(RunEvent value) => _events.Publish(value);

    public void Dispose()
    {
        _events.Dispose();
        _commits.Dispose();
    }

    private async ValueTask StoreAsync(StepCommit commit, CancellationToken cancellationToken)
    {
        var started = Services.Time.GetTimestamp();
        await Services.Checkpoints.CommitAsync(commit, cancellationToken);
        (_definition, _isHeld) = (null, true);
        Telemetry.CheckpointCommits.Add(1);
        Telemetry.CheckpointCommitSeconds.Record(Services.Time.GetElapsedTime(started).TotalSeconds);
    }

    private static void Count(Run run)
    {
        if (run.IsFinished)
        {
            Telemetry.Jobs.Add(1, new KeyValuePair<string, object?>("status", run.Status.ToString().ToLowerInvariant()));
            Telemetry.JobDuration.Record(run.Usage.ActiveSeconds);
        }
    }

    private RunChange Next(Func<Run, DateTimeOffset, RunChange>? transition, DateTimeOffset now)
    {
        var current = Run with { Usage = Usage.Current with { Raises = Budget.Raises }, UpdatedAt = now };
        return transition is null ? new RunChange(current, []) : transition(current, now);
    }
}
