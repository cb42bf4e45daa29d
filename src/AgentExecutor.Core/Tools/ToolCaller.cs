using System.Text.Json;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Schemas;

namespace AgentExecutor.Core.Tools;

/// <summary>Makes a tool call: counted, checked against the tool's schema, told to whoever watches. Here and nowhere else a tool is invoked.</summary>
public static class ToolCaller
{
    /// <exception cref="FaultException">A limit was passed, or the tool says that the run cannot go on.</exception>
    public static async ValueTask<ToolResult> CallAsync(Tool tool, ToolContext context, CancellationToken cancellationToken)
    {
        var (session, ns) = (context.Node.Session, context.Node.Scope.Namespace);
        session.Usage.CountToolCall();
        session.Publish(new RunEvent.ToolStarted(context.Agent, context.Call) { Namespace = ns });
        var started = session.Services.Time.GetTimestamp();
        using var span = Telemetry.Source.StartActivity(Telemetry.ToolSpan);
        span?.SetTag("gen_ai.tool.name", tool.Name).SetTag("gen_ai.tool.call.id", context.Call.Id);
        var result = await InvokeAsync(tool, context, cancellationToken);
        Telemetry.ToolCalls.Add(1, new KeyValuePair<string, object?>("outcome", result.IsError ? "error" : "success"));
        var duration = session.Services.Time.GetElapsedTime(started);
        session.Publish(new RunEvent.ToolEnded(context.Agent, context.Call, result.Content, result.IsError, duration) { Namespace = ns });
        return result;
    }

    /// <summary>Questions, faults and a stop at a checkpoint inside a sub-agent are not the tool's failures.</summary>
    private static bool IsForTheRun(Exception exception, ToolContext context) => exception is InterruptSignal or FaultException
        || (exception is OperationCanceledException && context.Node.Session.Stopping.IsCancellationRequested);

    private static async ValueTask<ToolResult> InvokeAsync(Tool tool, ToolContext context, CancellationToken cancellationToken)
    {
        var arguments = context.Call.Arguments;
        if (arguments.ValueKind != JsonValueKind.Object)
        {
            return ToolResult.Error($"Error: the arguments of {tool.Name} are no JSON object. Call it again with well-formed JSON.");
        }
        var faults = JsonSchemaChecker.Check(arguments, tool.Parameters);
        if (faults.Count > 0)
        {
            return ToolResult.Error($"Error: {string.Join("; ", faults.Select(fault => $"{fault.Path} {fault.Message}"))}. Mend the arguments and call again.");
        }
        return tool.Effects == ToolEffects.None
            ? await TryAsync(tool, context, cancellationToken)
            : await JournaledCall.CallAsync(tool, context, () => TryAsync(tool, context, cancellationToken), cancellationToken);
    }

    private static async ValueTask<ToolResult> TryAsync(Tool tool, ToolContext context, CancellationToken cancellationToken)
    {
        try
        {
            return await tool.InvokeAsync(context.Call.Arguments, context, cancellationToken);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested && !IsForTheRun(exception, context))
        {
            return ToolResult.Error($"Error: {tool.Name} failed: {exception.Message}"); // a tool's own failure is the model's to work around
        }
    }
}
