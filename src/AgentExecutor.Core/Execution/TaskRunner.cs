using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Execution;

/// <summary>
/// Runs one task to its end, with retries, a time limit and interrupts before and after the node. Throws only when the run is cancelled.
/// </summary>
internal static class TaskRunner
{
    public static async ValueTask RunAsync(GraphTask task, StateView state, GraphScope scope, CancellationToken cancellationToken)
    {
        task.IsStored = false;
        task.Interrupts = [];
        var delay = TimeSpan.Zero;
        for (var attempt = 1; ; attempt++)
        {
            task.Writes.Clear();
            try
            {
                if (delay > TimeSpan.Zero)
                {
                    await scope.Session.WaitAsync(
                        token => new ValueTask(Task.Delay(delay, scope.Session.Services.Time, token)),
                        cancellationToken
                    );
                }
                await AttemptAsync(task, state, scope, cancellationToken);
                task.IsDone = true;
                return;
            }
            catch (InterruptSignal signal)
            {
                task.Writes.Clear();
                task.Interrupts = signal.Interrupts;
                return;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                throw;
            }
            catch (OperationCanceledException) when (scope.Session.Stopping.IsCancellationRequested)
            {
                task.Writes.Clear();
                task.IsStopped = true;
                return;
            }
            catch (Exception exception) when (task.Node.Retry.Allows(exception, attempt))
            {
                delay = task.Node.Retry.DelayAfter(attempt, exception, Random.Shared.NextDouble());
            }
            catch (Exception exception) // Any exception of a node fails the task; it must never reach the engine.
            {
                task.Writes.Clear();
                task.Failure =
                    exception is FaultException
                        ? exception
                        : new FaultException(
                            FaultCodes.NodeFailed,
                            $"the node '{task.Node.Name}' failed: {exception.Message}",
                            inner: exception
                        );
                return;
            }
        }
    }

    private static async ValueTask AttemptAsync(GraphTask task, StateView state, GraphScope scope, CancellationToken cancellationToken)
    {
        if (task.Node.InterruptBefore)
        {
            Ask(task, "before", scope);
        }
        var context = new TaskContext(task, state with { Item = task.Argument }, scope);
        if (task.Node.Timeout is { } limit)
        {
            await RunWithinAsync(task, context, limit, cancellationToken);
        }
        else
        {
            await task.Node.Body.RunAsync(context, cancellationToken);
        }
        if (task.Node.InterruptAfter)
        {
            task.Interrupts = [Question(task, "after", scope)];
        }
    }

    private static async ValueTask RunWithinAsync(GraphTask task, NodeContext context, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(limit, context.Session.Services.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            await task.Node.Body.RunAsync(context, either.Token);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new FaultException(
                FaultCodes.NodeTimeout,
                $"the node '{task.Node.Name}' did not finish within {limit.TotalSeconds:0.###} s",
                "raise timeout_seconds of the node"
            )
            {
                IsTransient = true,
            };
        }
    }

    private static void Ask(GraphTask task, string when, GraphScope scope)
    {
        var question = Question(task, when, scope);
        if (!task.Answers.ContainsKey(question.Id))
        {
            throw new InterruptSignal([question]);
        }
    }

    private static InterruptRequest Question(GraphTask task, string when, GraphScope scope) =>
        InterruptSignal.Question(
            $"{task.Id}:{when}",
            JsonBytes.Element(
                (task.Node.Name, when),
                static (writer, it) =>
                {
                    writer.WriteStartObject();
                    writer.WriteString("node"u8, it.Name);
                    writer.WriteString("when"u8, it.when);
                    writer.WriteString(
                        "text"u8,
                        it.when == "before" ? $"May the node '{it.Name}' run?" : $"May the result of the node '{it.Name}' take effect?"
                    );
                    writer.WriteEndObject();
                }
            ),
            task.Node.AnswerTerms,
            scope.Session.Services.Time.GetUtcNow()
        );
}
