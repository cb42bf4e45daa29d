using System.Collections.Concurrent;
using System.Text.Json;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Core.Sessions;

/// <summary>
/// One attempt of a run, shared by its root graph and all sub-graphs. All their commits, events and usage counts go through it. The commits
/// of a run are made one after another, and each stores the current state of the run.
/// </summary>
public sealed class RunSession : IDisposable
{
    private readonly SemaphoreSlim _commits = new(1, 1);
    private readonly RunEvents _events;
    private Run _run;
    private StoredDefinition? _definition;
    private volatile bool _isHeld;

    /// <param name="run">The run as <see cref="Transitions.Start"/> returned it.</param>
    /// <param name="services">The services that the run uses.</param>
    /// <param name="limits">The limits of the run.</param>
    /// <param name="definition">The definition to store with the first commit, or null.</param>
    /// <param name="isHeld">True if the thread was acquired already. Otherwise the first commit acquires it.</param>
    /// <param name="budget">The budget for model calls, within the limits.</param>
    /// <param name="activity">Receives whether the run waits.</param>
    /// <param name="stopping">Asks the run to stop at its next checkpoint.</param>
    public RunSession(
        Run run,
        RunServices services,
        RunLimits limits,
        StoredDefinition? definition = null,
        bool isHeld = false,
        BudgetPolicy? budget = null,
        RunActivity? activity = null,
        CancellationToken stopping = default
    )
    {
        Activity = activity ?? new RunActivity();
        IsTakenOver = run.Attempt > 1;
        (_run, _definition, _isHeld) = (run, definition, isHeld);
        (Services, Stopping) = (services, stopping);
        _events = new RunEvents(run.ThreadId, run.Fence, run.LastSequence, services);
        Usage = new UsageMeter(run.Usage, limits, services.Time);
        Journal = new RunJournal(this);
        Budget = new BudgetGate(this, budget ?? BudgetPolicy.None);
    }

    public Run Run => Volatile.Read(ref _run);

    public RunServices Services { get; }

    /// <summary>Cancelled when the run must stop at its next checkpoint.</summary>
    public CancellationToken Stopping { get; }

    /// <summary>
    /// True if another attempt, which may have crashed, has already worked on the tasks that are due at the newest checkpoint.
    /// </summary>
    public bool IsTakenOver { get; init; }

    /// <summary>Tracks whether the run does anything other than wait.</summary>
    public RunActivity Activity { get; }

    public UsageMeter Usage { get; }

    /// <summary>Checks before each model call whether the budget allows it.</summary>
    public BudgetGate Budget { get; }

    /// <summary>The tool calls that have side effects.</summary>
    public RunJournal Journal { get; }

    /// <summary>The answers to interrupts, by interrupt id, from the caller that resumed the run or from an earlier attempt.</summary>
    public ConcurrentDictionary<string, JsonElement> Answers { get; } = new();

    public string ThreadId => Run.ThreadId;

    /// <summary>True while this process holds the thread.</summary>
    public bool IsHeld => _isHeld && Run.Status == RunStatus.Running;

    /// <summary>
    /// Commits a step together with the run's usage and, if given, a transition of the run. Then publishes <paramref name="after"/> and the
    /// transition's events. If there is a request to cancel the run, the step is committed and the run is cancelled instead.
    /// </summary>
    /// <exception cref="FaultException">
    /// Another worker has taken over the thread (<see cref="FaultCodes.LeaseLost"/>). Nothing was changed.
    /// </exception>
    public async ValueTask CommitAsync(
        StepCommit commit,
        RunEvent? after,
        Func<Run, DateTimeOffset, RunChange>? transition,
        CancellationToken cancellationToken
    )
    {
        await _commits.WaitAsync(cancellationToken);
        try
        {
            await CommitOnceAsync(commit, after, transition, cancellationToken);
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.CancelRequested && transition is not null)
        {
            await CommitOnceAsync(commit, after, Cancel.Apply, cancellationToken);
        }
        finally
        {
            _commits.Release();
        }
    }

    /// <summary>Commits only a transition of the run.</summary>
    public ValueTask CommitAsync(Func<Run, DateTimeOffset, RunChange> transition, CancellationToken cancellationToken) =>
        CommitAsync(new StepCommit { ThreadId = ThreadId, Fence = 0 }, null, transition, cancellationToken);

    /// <summary>Waits for something outside the run, such as a rate limit. The wait ends when the run is asked to stop.</summary>
    /// <exception cref="OperationCanceledException">The run was asked to stop.</exception>
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

    private async ValueTask CommitOnceAsync(
        StepCommit commit,
        RunEvent? after,
        Func<Run, DateTimeOffset, RunChange>? transition,
        CancellationToken cancellationToken
    )
    {
        var now = Services.Time.GetUtcNow();
        var (next, events) = Next(transition, now);
        var batch = _events.Hold(after, events, now);
        next = next with { LastSequence = batch.Last };
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
                    Events = batch.ToStore(),
                    ToolCalls = commit.ToolCalls.IsEmpty ? ended : commit.ToolCalls.AddRange(ended),
                    Settlements = settled,
                    // An earlier attempt may have left reservations.
                    ReleasesReservations = next.Status != RunStatus.Running && (Budget.UsedLedger || next.Attempt > 1),
                    Result =
                        Services.Lease is not null && RunResult.IsOutcome(next.Status)
                            ? new StoredResult(batch.Last, RunResult.Encode(next, after, events))
                            : null,
                },
                cancellationToken
            );
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
            _events.Release(batch, isStored);
        }
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
