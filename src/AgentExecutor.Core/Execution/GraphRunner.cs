using System.Collections.Immutable;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Core.Execution;

/// <summary>
/// Runs a graph superstep by superstep, as in the Pregel model:
/// <list type="number">
/// <item>Load the newest checkpoint, or create the first one from the input.</item>
/// <item>Run the due tasks in parallel. Each one reads the state at the checkpoint (<see cref="SuperStep"/>).</item>
/// <item>Fold their writes, in task order, into the next state (<see cref="StepFold"/>).</item>
/// <item>Determine the tasks of the next superstep (<see cref="NextTasks"/>).</item>
/// <item>Commit state and tasks as one checkpoint. Repeat from step 2 until no task is due, or all remaining tasks wait for a
/// person.</item>
/// </list>
/// The last commit of the root graph also completes the run.
/// </summary>
public sealed class GraphRunner(Graph graph, GraphScope scope)
{
    /// <summary>The node that input updates are attributed to, so that they are stored like the writes of a task.</summary>
    private static readonly Node InputNode = new(Graph.Start, new DelegateNode((_, _) => ValueTask.CompletedTask));

    private readonly RunSession _session = scope.Session;

    /// <exception cref="FaultException">A task failed and is not retried, a limit was exceeded, or the lease was lost. The newest
    /// checkpoint remains valid.</exception>
    public async ValueTask<GraphOutcome> RunAsync(GraphInput input, CancellationToken cancellationToken)
    {
        var position = await OpenAsync(input, cancellationToken);
        if (input is GraphInput.Edit)
        {
            return new GraphOutcome(position.State, []);
        }
        if (position.Due.IsEmpty)
        {
            await CompleteAsync(position, cancellationToken);
        }
        while (!position.Due.IsEmpty)
        {
            cancellationToken.ThrowIfCancellationRequested();
            _session.Stopping.ThrowIfCancellationRequested();
            var tasks = TasksAt(position);
            var step = new SuperStep(position, tasks, scope);
            using (Telemetry.Source.StartActivity(Telemetry.SuperstepSpan))
            {
                _session.Usage.CountSuperstep();
                do
                {
                    await StoreAnswersAsync(step, tasks, cancellationToken);
                    await step.RunAsync(cancellationToken);
                } while (tasks.Any(static task => !task.IsFinished) && await FindAnswersAsync(tasks, cancellationToken));
                if (tasks.Any(static task => !task.IsFinished))
                {
                    return await InterruptAsync(position, step, tasks, cancellationToken);
                }
                position = await AdvanceOrKeepAsync(position, step, tasks, cancellationToken);
            }
        }
        return new GraphOutcome(position.State, []);
    }

    private async ValueTask<Position> OpenAsync(GraphInput input, CancellationToken cancellationToken)
    {
        var loaded = input is GraphInput.Begin { IsNewThread: true }
            ? null
            : await _session.Services.Checkpoints.LoadAsync(_session.ThreadId, scope.Namespace, null, cancellationToken);
        var position = loaded is null ? Position.Before(graph.Channels) : CheckpointReader.Read(loaded, graph.Channels);
        return input switch
        {
            GraphInput.Begin begin => await WriteAsync(position, begin.Updates, Graph.Start, CheckpointSource.Input, cancellationToken),
            GraphInput.BeginOrContinue begin when loaded is null => await WriteAsync(
                position,
                begin.Updates,
                Graph.Start,
                CheckpointSource.Input,
                cancellationToken
            ),
            GraphInput.Edit edit => await WriteAsync(position, edit.Updates, edit.AsNode, edit.Source, cancellationToken),
            _ when loaded is null => throw new FaultException(
                FaultCodes.NothingToResume,
                $"the thread '{_session.ThreadId}' has no checkpoint",
                "start a run of the thread with an input"
            ),
            _ => position with { DueTasksMayHaveBegun = _session.IsTakenOver },
        };
    }

    /// <summary>Creates a checkpoint from updates that were not written by a task.</summary>
    private async ValueTask<Position> WriteAsync(
        Position position,
        ImmutableArray<KeyValuePair<string, object>> updates,
        string? asNode,
        CheckpointSource source,
        CancellationToken cancellationToken
    )
    {
        var state = position.State.In(position.State.Channels.With(updates.Select(update => update.Key)));
        var task = new GraphTask(default, 0, InputNode, _session.ThreadId, position.CheckpointId ?? "", scope.Namespace);
        task.Writes.AddRange(updates.Select(update => new ChannelWrite(state.Channels.Require(update.Key), update.Value)));
        if (asNode == Graph.Start)
        {
            task.Writes.AddRange(
                graph
                    .Joins.Where(join => !BarrierChannel.Arrived(state[join.Channel]).IsEmpty)
                    .Select(join => new ChannelWrite(state.Channels.Require(join.Channel), BarrierChannel.Reset))
            );
        }
        // Delta updates are stored under the previous checkpoint. If there is none, or if it already holds writes of tasks that are now
        // abandoned, the whole values are stored instead.
        var snapshot = position.CheckpointId is null || !position.Pending.IsEmpty;
        var fold = new StepFold(state);
        var writes = Fold(fold, [task], state.Channels, snapshot);
        var schedule = asNode is null ? new Schedule(position.Due, []) : NextTasks.After(graph, fold.State, [asNode]);
        fold.FoldBarriers(schedule.Barriers);
        return await CommitAsync(position, fold, schedule, source, snapshot ? [] : writes, snapshot ? [] : writes, [], cancellationToken);
    }

    /// <summary>Folds the tasks' writes in task order. Returns the writes to delta channels, which are stored as updates.</summary>
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

    private ImmutableArray<GraphTask> TasksAt(Position position)
    {
        if (position.Due.Length > _session.Usage.Limits.MaxFanOut)
        {
            throw new FaultException(
                FaultCodes.FanOutLimit,
                $"a superstep of '{graph.Name}' has {position.Due.Length} tasks, but at most {_session.Usage.Limits.MaxFanOut} are allowed",
                "fan out over fewer items, or raise max_fan_out in the definition's limits, up to the server's limit"
            );
        }
        var tasks = ImmutableArray.CreateBuilder<GraphTask>(position.Due.Length);
        foreach (var due in position.Due)
        {
            var task = new GraphTask(due, tasks.Count, graph.Require(due.Node), _session.ThreadId, position.CheckpointId!, scope.Namespace)
            {
                Step = position.Step,
                MayHaveBegun = position.DueTasksMayHaveBegun,
            };
            if (!position.Pending.IsEmpty)
            {
                PendingWrites.Restore(task, position.Pending, position.State.Channels);
            }
            tasks.Add(task);
        }
        return tasks.MoveToImmutable();
    }

    /// <summary>
    /// Stores new answers before any task acts on them. Answers that an earlier attempt stored become available to sub-graphs again.
    /// </summary>
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
            var commit = step.PendingCommit(writes.ToImmutable()) with
            {
                Answers = [.. tasks.SelectMany(static task => task.Answers).Select(it => new StoredAnswer(it.Key, JsonBytes.Of(it.Value)))],
            };
            await _session.CommitAsync(commit, null, null, cancellationToken);
        }
    }

    /// <summary>
    /// Looks for answers that were recorded while other tasks of the run executed. Returns true if there are any, so that their tasks can
    /// run.
    /// </summary>
    private async ValueTask<bool> FindAnswersAsync(ImmutableArray<GraphTask> tasks, CancellationToken cancellationToken)
    {
        // A question that is not stored yet cannot have an answer.
        var open = tasks.Where(static task => task.IsStored).SelectMany(static task => task.OpenInterrupts).Select(static it => it.Id);
        if (!scope.IsRoot || _session.Services.Interrupts is not { } interrupts || open.ToImmutableArray() is not { IsEmpty: false } ids)
        {
            return false;
        }
        var isFound = false;
        foreach (var found in await interrupts.FindAsync(_session.ThreadId, ids, cancellationToken))
        {
            isFound |= found.Answer is { } answer && _session.Answers.TryAdd(found.Id, StoredJson.Parse(answer.Span));
        }
        return isFound;
    }

    private async ValueTask<GraphOutcome> InterruptAsync(
        Position position,
        SuperStep step,
        ImmutableArray<GraphTask> tasks,
        CancellationToken cancellationToken
    )
    {
        var open = tasks.SelectMany(task => task.OpenInterrupts).ToImmutableArray();
        await _session.CommitAsync(
            step.Unstored(),
            null,
            scope.IsRoot ? (run, now) => Interrupt.Apply(run, open, now) : null,
            cancellationToken
        );
        return new GraphOutcome(position.State, open);
    }

    /// <summary>
    /// If folding the writes or evaluating an edge fails, stores the results of the finished tasks nevertheless, so that a retry does not
    /// repeat them.
    /// </summary>
    private async ValueTask<Position> AdvanceOrKeepAsync(
        Position position,
        SuperStep step,
        ImmutableArray<GraphTask> tasks,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await AdvanceAsync(position, tasks, cancellationToken);
        }
        catch (FaultException fault) when (fault.Code is not (FaultCodes.LeaseLost or FaultCodes.StoreUnavailable))
        {
            await _session.CommitAsync(step.Unstored(), null, null, cancellationToken);
            throw;
        }
    }

    private async ValueTask<Position> AdvanceAsync(Position position, ImmutableArray<GraphTask> tasks, CancellationToken cancellationToken)
    {
        var fold = new StepFold(position.State);
        var writes = Fold(fold, tasks, position.State.Channels, snapshot: false);
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
        return await CommitAsync(position, fold, schedule, CheckpointSource.Loop, writes, unstored, nodes, cancellationToken);
    }

    private async ValueTask<Position> CommitAsync(
        Position position,
        StepFold fold,
        Schedule schedule,
        CheckpointSource source,
        ImmutableArray<StoredWrite> writes,
        ImmutableArray<StoredWrite> unstored,
        string[] nodes,
        CancellationToken cancellationToken
    )
    {
        var next = new Position(
            CheckpointId.Next(position.CheckpointId, _session.Services.Time.GetUtcNow()),
            position.Step + 1,
            fold.State,
            schedule.Due,
            []
        );
        var ends = scope.IsRoot && schedule.Due.IsEmpty && source is CheckpointSource.Loop or CheckpointSource.Input;
        var commit = new StepCommit
        {
            ThreadId = _session.ThreadId,
            Fence = 0, // the session fills in its own fencing token
            Namespace = scope.Namespace,
            WritesUnder = position.CheckpointId,
            Writes = unstored,
            Values = fold.Values,
            Checkpoint = Header(position, next, fold, source),
        };
        var update = new RunEvent.StateUpdated(
            next.CheckpointId!,
            next.Step,
            [.. nodes],
            ends ? [] : fold.Changes(writes),
            next.State,
            ends
        )
        {
            Namespace = scope.Namespace,
        };
        await _session.CommitAsync(commit, update, ends ? Complete.Apply : null, cancellationToken);
        return next;
    }

    private StoredCheckpoint Header(Position position, Position next, StepFold fold, CheckpointSource source) =>
        new()
        {
            ThreadId = _session.ThreadId,
            Namespace = scope.Namespace,
            Id = next.CheckpointId!,
            ParentId = position.CheckpointId,
            RunId = _session.Run.RunId,
            Step = next.Step,
            Source = source,
            Time = _session.Services.Time.GetUtcNow(),
            Channels = fold.Versions(),
            Updated = fold.Updated,
            Due = DueTask.Encode(next.Due),
        };

    /// <summary>Completes a run that was released after its last superstep and therefore has no task left to run.</summary>
    private async ValueTask CompleteAsync(Position position, CancellationToken cancellationToken)
    {
        if (scope.IsRoot && !_session.Run.IsFinished)
        {
            var update = new RunEvent.StateUpdated(position.CheckpointId!, position.Step, [], [], position.State, IsFinal: true);
            var commit = new StepCommit { ThreadId = _session.ThreadId, Fence = 0 };
            await _session.CommitAsync(commit, update, Complete.Apply, cancellationToken);
        }
    }
}
