using System.Collections.Immutable;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Execution;

/// <summary>
/// Runs the due tasks of one superstep in parallel, up to the limit of parallel tasks. While some tasks still run, the results of the
/// finished ones are stored as pending writes, so that they are not repeated after a crash. The results of the last tasks to finish are
/// stored by the commit of the superstep. The first failure cancels the remaining tasks.
/// </summary>
internal sealed class SuperStep(Position position, ImmutableArray<GraphTask> tasks, GraphScope scope)
{
    /// <exception cref="FaultException">A task failed.</exception>
    /// <exception cref="OperationCanceledException">The run was asked to stop. The results of finished tasks are stored.</exception>
    public async ValueTask RunAsync(CancellationToken cancellationToken)
    {
        var state = new StateView(position.State);
        if (tasks.Length == 1)
        {
            if (tasks[0].IsRunnable)
            {
                await TaskRunner.RunAsync(tasks[0], state, scope, cancellationToken);
            }
        }
        else
        {
            await RunAllAsync(state, cancellationToken);
        }
        await ThrowFirstFailureAsync(cancellationToken);
        await ThrowIfStoppedAsync(cancellationToken);
    }

    /// <summary>Returns a commit of the writes and questions that are not stored yet, and marks them as stored.</summary>
    public StepCommit Unstored()
    {
        var writes = ImmutableArray.CreateBuilder<StoredWrite>();
        var asked = ImmutableArray.CreateBuilder<InterruptRequest>();
        foreach (var task in tasks)
        {
            if (!task.IsStored && (task.IsDone || !task.Interrupts.IsEmpty))
            {
                PendingWrites.Encode(task, position.State.Channels, writes);
                // The questions of a sub-graph were stored by its own commits.
                asked.AddRange(task.Interrupts.Where(it => it.Id.StartsWith(task.Id, StringComparison.Ordinal)));
                task.IsStored = true;
            }
        }
        return PendingCommit(writes.ToImmutable()) with
        {
            Interrupts = [.. asked.Select(it => StoredInterrupt.Of(scope.Session.ThreadId, scope.Session.Run.RunId, it))],
            Notices =
            [
                .. asked
                    .Where(static it => it.Terms.IsToolCall)
                    .Select(it => ToolRequest.Of(scope.Session.ThreadId, scope.Session.Run.RunId, it)),
            ],
        };
    }

    public StepCommit PendingCommit(ImmutableArray<StoredWrite> writes) =>
        new()
        {
            ThreadId = scope.Session.ThreadId,
            Fence = 0, // the session fills in its own fencing token
            Namespace = scope.Namespace,
            WritesUnder = position.CheckpointId,
            Writes = writes,
        };

    private async Task RunAllAsync(StateView state, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var waiting = new Queue<GraphTask>(tasks.Where(task => task.IsRunnable));
        var running = new List<Task>();
        try
        {
            while (true)
            {
                while (
                    waiting.Count > 0
                    && !scope.Session.Stopping.IsCancellationRequested
                    && running.Count < scope.Session.Usage.Limits.MaxParallelTasks
                )
                {
                    scope.Session.Activity.Begin();
                    running.Add(TaskRunner.RunAsync(waiting.Dequeue(), state, scope, stop.Token).AsTask());
                }
                if (running.Count == 0)
                {
                    Stop(waiting);
                    return;
                }
                scope.Session.Activity.End(); // this method only waits, so it does not count as activity
                await Task.WhenAny(running);
                scope.Session.Activity.Begin();
                await ReapAsync(running);
                if (tasks.Any(task => task.Failure is not null))
                {
                    return;
                }
                if (running.Count > 0 || waiting.Count > 0)
                {
                    await StoreFinishedAsync(cancellationToken);
                }
            }
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            scope.Session.Activity.End(running.Count);
        }
    }

    /// <summary>
    /// Marks tasks that were not started before the run was asked to stop. The next worker that claims the run executes them.
    /// </summary>
    private static void Stop(Queue<GraphTask> waiting)
    {
        foreach (var task in waiting)
        {
            task.IsStopped = true;
        }
    }

    private async Task ReapAsync(List<Task> running)
    {
        for (var i = running.Count - 1; i >= 0; i--)
        {
            if (running[i].IsCompleted)
            {
                var ended = running[i];
                running.RemoveAt(i);
                scope.Session.Activity.End();
                await ended;
            }
        }
    }

    private async ValueTask StoreFinishedAsync(CancellationToken cancellationToken)
    {
        var commit = Unstored();
        if (!commit.Writes.IsEmpty)
        {
            await scope.Session.CommitAsync(commit, null, null, cancellationToken);
        }
    }

    private async ValueTask ThrowIfStoppedAsync(CancellationToken cancellationToken)
    {
        if (tasks.Any(static task => task.IsStopped))
        {
            await StoreFinishedAsync(cancellationToken);
            scope.Session.Stopping.ThrowIfCancellationRequested();
        }
    }

    private async ValueTask ThrowFirstFailureAsync(CancellationToken cancellationToken)
    {
        foreach (var task in tasks)
        {
            if (task.Failure is { } failure)
            {
                await StoreFinishedAsync(cancellationToken);
                throw failure is FaultException ? failure : new FaultException(FaultCodes.Internal, failure.Message, inner: failure);
            }
        }
    }
}
