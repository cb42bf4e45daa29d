using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Runs.Transitions;

namespace AgentExecutor.Core.Execution;

/// <summary>
/// Runs a graph superstep by superstep, in the manner of Pregel:
/// <list type="number">
/// <item>Open: load the newest checkpoint, or make the first from the input.</item>
/// <item>Run the tasks that are due, in parallel, each on the state at the checkpoint (<see cref="SuperStep"/>).</item>
/// <item>Fold their writes, in task order, into the next state (<see cref="StepFold"/>), and decide what follows (<see cref="NextTasks"/>).</item>
/// <item>Commit both as one checkpoint; go on at 2 until nothing is due, or every task left waits for a person.</item>
/// </list>
/// The root's last commit carries the run's end with it.
/// </summary>
public sealed class GraphRunner(Graph graph, GraphScope scope)
{
    /// <summary>Stands for whoever wrote the input: its updates are stored like those of a task.</summary>
    private static readonly Node InputNode = new(Graph.Start, new DelegateNode((_, _) => ValueTask.CompletedTask));

    private readonly RunSession _session = scope.Session;

    /// <exception cref="FaultException">A task failed for good, a limit was passed, or the lease was lost. The newest checkpoint stands.</exception>
    public async ValueTask<GraphOutcome> RunAsync(GraphInput input, CancellationToken cancellationToken)
    {
        var at = await OpenAsync(input, cancellationToken);
        if (input is GraphInput.Edit)
        {
            return new GraphOutcome(at.State, []);
        }
        if (at.Due.IsEmpty)
        {
            await CompleteAsync(at, cancellationToken);
        }
        while (!at.Due.IsEmpty)
        {
            cancellationToken.ThrowIfCancellationRequested();
            _session.Stopping.ThrowIfCancellationRequested();
            var tasks = TasksAt(at);
            var step = new SuperStep(at, tasks, scope);
            using (Telemetry.Source.StartActivity(Telemetry.SuperstepSpan))
            {
                await StoreAnswersAsync(step, tasks, cancellationToken);
                _session.Usage.CountSuperstep();
                await step.RunAsync(cancellationToken);
                if (tasks.Any(static task => !task.IsFinished))
                {
                    return await InterruptAsync(at, step, tasks, cancellationToken);
                }
                at = await AdvanceOrKeepAsync(at, step, tasks, cancellationToken);
            }
        }
        return new GraphOutcome(at.State, []);
    }

    private async ValueTask<Position> OpenAsync(GraphInput input, CancellationToken cancellationToken)
    {
        var loaded = input is GraphInput.Begin { IsNewThread: true }
            ? null : await _session.Services.Checkpoints.LoadAsync(_session.ThreadId, scope.Namespace, null, cancellationToken);
        var at = loaded is null ? Position.Before(graph.Channels) : CheckpointReader.Read(loaded, graph.Channels);
        return input switch
        {
            GraphInput.Begin begin => await WriteAsync(at, begin.Updates, Graph.Start, CheckpointSource.Input, cancellationToken),
            GraphInput.BeginOrContinue begin when loaded is null =>
                await WriteAsync(at, begin.Updates, Graph.Start, CheckpointSource.Input, cancellationToken),
            GraphInput.Edit edit => await WriteAsync(at, edit.Updates, edit.AsNode, edit.Source, cancellationToken),
            _ when loaded is null => throw new FaultException(
                FaultCodes.NothingToResume, $"the thread '{_session.ThreadId}' has no checkpoint", "start it with an input"),
            _ => at with { IsLeft = _session.IsTakenOver },
        };
    }

    /// <summary>Makes a checkpoint from updates that no task made.</summary>
    private async ValueTask<Position> WriteAsync(
        Position at, ImmutableArray<KeyValuePair<string, object>> updates, string? asNode, CheckpointSource source, CancellationToken cancellationToken)
    {
        var state = at.State.In(at.State.Channels.With(updates.Select(update => update.Key)));
        var task = new GraphTask(default, 0, InputNode, _session.ThreadId, at.CheckpointId ?? "", scope.Namespace);
        task.Writes.AddRange(updates.Select(update => new ChannelWrite(state.Channels.Require(update.Key), update.Value)));
        if (asNode == Graph.Start)
        {
            task.Writes.AddRange(graph.Joins.Where(join => !BarrierChannel.Arrived(state[join.Channel]).IsEmpty)
                .Select(join => new ChannelWrite(state.Channels.Require(join.Channel), BarrierChannel.Reset)));
        }
        // Without a checkpoint before it there is no place for updates, and beside writes of tasks that are now given up they would mix.
        var snapshot = at.CheckpointId is null || !at.Pending.IsEmpty;
        var fold = new StepFold(state);
        var writes = Fold(fold, [task], state.Channels, snapshot);
        var schedule = asNode is null ? new Schedule(at.Due, []) : NextTasks.After(graph, fold.State, [asNode]);
        fold.FoldBarriers(schedule.Barriers);
        return await CommitAsync(at, fold, schedule, source, snapshot ? [] : writes, snapshot ? [] : writes, [], cancellationToken);
    }

    /// <summary>Folds the tasks' writes in task order; returns those of delta channels, which are stored as they are.</summary>
    private static ImmutableArray<StoredWrite> Fold(StepFold fold, ImmutableArray<GraphTask> tasks, ChannelSet channels, bool snapshot)
    {
        var deltaWrites = ImmutableArray.CreateBuilder<StoredWrite>();
        foreach (var task in tasks)
        {
            for (var i = 0; i < task.Writes.Count; i++)
            {
                fold.Add(task.Writes[i]);
                if (channels[task.Writes[i].Channel].IsDelta)
                {
                    deltaWrites.Add(PendingWrites.Encode(task, i, channels));
                }
            }
        }
        fold.Fold(snapshot);
        return deltaWrites.DrainToImmutable();
    }

    private ImmutableArray<GraphTask> TasksAt(Position at)
    {
        if (at.Due.Length > _session.Usage.Limits.MaxFanOut)
        {
            throw new FaultException(
                FaultCodes.FanOutLimit,
                $"a superstep of '{graph.Name}' has {at.Due.Length} tasks, and {_session.Usage.Limits.MaxFanOut} are allowed",
                "fan out over fewer items, or raise max_fan_out in the definition's limits, up to the server's");
        }
        var tasks = ImmutableArray.CreateBuilder<GraphTask>(at.Due.Length);
        foreach (var due in at.Due)
        {
            var task = new GraphTask(due, tasks.Count, graph.Require(due.Node), _session.ThreadId, at.CheckpointId!, scope.Namespace) { MayHaveBegun = at.IsLeft };
            if (!at.Pending.IsEmpty)
            {
                PendingWrites.Restore(task, at.Pending, at.State.Channels);
            }
            tasks.Add(task);
        }
        return tasks.MoveToImmutable();
    }

    /// <summary>Answers are stored before any task acts on them; those stored by an earlier attempt are handed to sub-graphs.</summary>
    private async ValueTask StoreAnswersAsync(SuperStep step, ImmutableArray<GraphTask> tasks, CancellationToken cancellationToken)
    {
        var writes = ImmutableArray.CreateBuilder<StoredWrite>();
        foreach (var task in tasks)
        {
            foreach (var (id, answer) in task.Answers)
            {
                _session.Answers.TryAdd(id, answer);
            }
            var given = task.OpenInterrupts.Where(open => _session.Answers.ContainsKey(open.Id)).ToList();
            if (given.Count > 0)
            {
                task.Answers = task.Answers.AddRange(given.Select(open => KeyValuePair.Create(open.Id, _session.Answers[open.Id])));
                writes.Add(PendingWrites.EncodeAnswers(task));
            }
        }
        if (writes.Count > 0)
        {
            await _session.CommitAsync(step.PendingCommit(writes.ToImmutable()), null, null, cancellationToken);
        }
    }

    private async ValueTask<GraphOutcome> InterruptAsync(
        Position at, SuperStep step, ImmutableArray<GraphTask> tasks, CancellationToken cancellationToken)
    {
        var open = tasks.SelectMany(task => task.OpenInterrupts).ToImmutableArray();
        await _session.CommitAsync(
            step.PendingCommit(step.Unstored()), null, scope.IsRoot ? (run, now) => Interrupt.Apply(run, open, now) : null, cancellationToken);
        return new GraphOutcome(at.State, open);
    }

    /// <summary>Where writes cannot be folded or an edge fails, what the tasks did is stored all the same: trying again repeats none of it.</summary>
    private async ValueTask<Position> AdvanceOrKeepAsync(Position at, SuperStep step, ImmutableArray<GraphTask> tasks, CancellationToken cancellationToken)
    {
        try
        {
            return await AdvanceAsync(at, tasks, cancellationToken);
        }
        catch (FaultException fault) when (fault.Code is not (FaultCodes.LeaseLost or FaultCodes.StoreUnavailable))
        {
            await _session.CommitAsync(step.PendingCommit(step.Unstored()), null, null, cancellationToken);
            throw;
        }
    }

    private async ValueTask<Position> AdvanceAsync(Position at, ImmutableArray<GraphTask> tasks, CancellationToken cancellationToken)
    {
        var fold = new StepFold(at.State);
        var writes = Fold(fold, tasks, at.State.Channels, snapshot: false);
        var nodes = new string[tasks.Length];
        foreach (var task in tasks)
        {
            nodes[task.Index] = task.Node.Name;
        }
        var schedule = NextTasks.After(graph, fold.State, nodes);
        fold.FoldBarriers(schedule.Barriers);
        var unstored = tasks.Any(static task => task.IsStored)
            ? writes.RemoveAll(write => tasks.Any(task => task.IsStored && task.Id == write.TaskId))
            : writes;
        return await CommitAsync(at, fold, schedule, CheckpointSource.Loop, writes, unstored, nodes, cancellationToken);
    }

    private async ValueTask<Position> CommitAsync(
        Position at, StepFold fold, Schedule schedule, CheckpointSource source, ImmutableArray<StoredWrite> writes,
        ImmutableArray<StoredWrite> unstored, string[] nodes, CancellationToken cancellationToken)
    {
        var next = new Position(CheckpointId.Next(at.CheckpointId, _session.Services.Time.GetUtcNow()), at.Step + 1, fold.State, schedule.Due, []);
        var ends = scope.IsRoot && schedule.Due.IsEmpty && source is CheckpointSource.Loop or CheckpointSource.Input;
        var commit = new StepCommit
        {
            ThreadId = _session.ThreadId,
            Fence = 0, // the session stamps its own
            Namespace = scope.Namespace,
            WritesUnder = at.CheckpointId,
            Writes = unstored,
            Values = fold.Values,
            Checkpoint = Header(at, next, fold, source),
        };
        var told = new RunEvent.StateUpdated(
            next.CheckpointId!, next.Step, [.. nodes], ends ? [] : fold.Changes(writes), next.State, ends)
        { Namespace = scope.Namespace };
        await _session.CommitAsync(commit, told, ends ? Complete.Apply : null, cancellationToken);
        return next;
    }

    private StoredCheckpoint Header(Position at, Position next, StepFold fold, CheckpointSource source) => new()
    {
        ThreadId = _session.ThreadId,
        Namespace = scope.Namespace,
        Id = next.CheckpointId!,
        ParentId = at.CheckpointId,
        RunId = _session.Run.RunId,
        Step = next.Step,
        Source = source,
        Time = _session.Services.Time.GetUtcNow(),
        Channels = fold.Versions(),
        Updated = fold.Updated,
        Due = DueTask.Encode(next.Due),
    };

    /// <summary>A run that was given back after its last step had nothing left to do but to end.</summary>
    private async ValueTask CompleteAsync(Position at, CancellationToken cancellationToken)
    {
        if (scope.IsRoot && !_session.Run.IsFinished)
        {
            var told = new RunEvent.StateUpdated(at.CheckpointId!, at.Step, [], [], at.State, IsFinal: true);
            var commit = new StepCommit { ThreadId = _session.ThreadId, Fence = 0 };
            await _session.CommitAsync(commit, told, Complete.Apply, cancellationToken);
        }
    }
}
