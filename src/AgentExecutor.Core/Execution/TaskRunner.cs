using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Execution;

/// <summary>Runs one task to its end: attempts with back-off and a time limit, questions before and after. Never throws but for cancellation.</summary>
internal static class TaskRunner
{
    public static async ValueTask RunAsync(GraphTask task, StateView state, GraphScope scope, CancellationToken cancellationToken)
    {
        task.IsStored = false;
        task.Interrupts = [];
        var pause = TimeSpan.Zero;
        for (var attempt = 1; ; attempt++)
        {
            task.Writes.Clear();
            try
            {
                if (pause > TimeSpan.Zero)
                {
                    await scope.Session.WaitAsync(token => new ValueTask(Task.Delay(pause, scope.Session.Services.Time, token)), cancellationToken);
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
                pause = task.Node.Retry.DelayAfter(attempt, exception, Random.Shared.NextDouble());
            }
            catch (Exception exception) // the border of a node: whatever it throws fails the task, never the engine
            {
                task.Writes.Clear();
                task.Failure = exception is FaultException ? exception : new FaultException(
                    FaultCodes.NodeFailed, $"the node '{task.Node.Name}' failed: {exception.Message}", inner: exception);
                return;
            }
        }
    }

    private static async ValueTask AttemptAsync(GraphTask task, StateView state, GraphScope scope, CancellationToken cancellationToken)
    {
        if (task.Node.InterruptBefore)
        {
            Ask(task, "before");
        }
        var context = new NodeContext(task, state with { Item = task.Argument }, scope);
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
            task.Interrupts = [Question(task, "after")];
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
                FaultCodes.NodeTimeout, $"the node '{task.Node.Name}' took longer than {limit.TotalSeconds:0.###} s", "raise timeout_seconds of the node")
            {
                IsTransient = true,
            };
        }
    }

    private static void Ask(GraphTask task, string when)
    {
        var question = Question(task, when);
        if (!task.Answers.ContainsKey(question.Id))
        {
            throw new InterruptSignal([question]);
        }
    }

    private static InterruptRequest Question(GraphTask task, string when) => new(
        $"{task.Id}:{when}",
        JsonBytes.Element((task.Node.Name, when), static (writer, it) =>
        {
            writer.WriteStartObject();
            writer.WriteString("node"u8, it.Name);
            writer.WriteString("when"u8, it.when);
            writer.WriteEndObject();
        }));
}
