using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Tools;

/// <summary>
/// Makes a call with the time limit and the retries of the tool's policy. A call of a tool each of whose calls takes effect is made once.
/// </summary>
internal static class ToolAttempts
{
    /// <returns>The result of the last attempt. Failures of the tool are error results.</returns>
    /// <exception cref="FaultException">The run cannot continue.</exception>
    /// <exception cref="InterruptSignal">The tool asks a person.</exception>
    /// <exception cref="OperationCanceledException">The call was cancelled, or the run was asked to stop.</exception>
    public static async ValueTask<ToolResult> RunAsync(Tool tool, ToolContext context, CancellationToken cancellationToken)
    {
        var (session, retry) = (context.Node.Session, tool.Policy.Retry);
        for (var attempt = 1; ; attempt++)
        {
            var result = await TryAsync(tool, context, cancellationToken);
            if (
                !result.IsTransient
                || tool.Effects == ToolEffects.Once
                || attempt >= retry.MaxAttempts
                || result.RetryAfter > retry.MaxDelay
            )
            {
                return result;
            }
            var delay = result.RetryAfter ?? retry.DelayAfter(attempt, Random.Shared.NextDouble());
            await session.WaitAsync(token => new ValueTask(Task.Delay(delay, session.Services.Time, token)), cancellationToken);
        }
    }

    private static async ValueTask<ToolResult> TryAsync(Tool tool, ToolContext context, CancellationToken cancellationToken)
    {
        var limit = tool.Policy.Timeout ?? Timeout.InfiniteTimeSpan;
        using var deadline = new CancellationTokenSource(limit, context.Node.Session.Services.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            var result = await tool.InvokeAsync(context.Call.Arguments, context, either.Token);
            return ToolUpdates.Checked(result with { Content = WellFormedText.Of(result.Content) }, context.Node);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return TimedOut(tool, limit);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested && !IsForTheRun(exception, context))
        {
            // The model decides how to proceed after a failure of a tool.
            return ToolResult.Error($"Error: {tool.Name} failed: {exception.Message}") with
            {
                IsTransient = exception is HttpRequestException or TimeoutException or IOException,
            };
        }
    }

    private static ToolResult TimedOut(Tool tool, TimeSpan limit) =>
        ToolResult.Error(
            $"Error: {tool.Name} did not finish within {limit.TotalSeconds:0.###} s."
                + (
                    tool.Effects == ToolEffects.Once
                        ? " It is unknown whether the call took effect. Find out before you call it again."
                        : ""
                )
        ) with
        {
            IsTransient = true,
        };

    /// <summary>
    /// Returns true for exceptions that concern the run and are not a failure of the tool: interrupts, faults, and a sub-agent that was
    /// asked to stop.
    /// </summary>
    private static bool IsForTheRun(Exception exception, ToolContext context) =>
        exception is InterruptSignal or FaultException
        || (exception is OperationCanceledException && context.Node.Session.Stopping.IsCancellationRequested);
}
