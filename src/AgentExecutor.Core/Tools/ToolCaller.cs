using System.Diagnostics;
using System.Text.Json;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Schemas;

namespace AgentExecutor.Core.Tools;

/// <summary>
/// Makes tool calls: counts them, checks them against the tool's schema, applies the tool's limits, and publishes their events. All
/// invocations of tools go through this class.
/// </summary>
public static class ToolCaller
{
    /// <exception cref="FaultException">A limit was exceeded, or the tool reports that the run cannot continue.</exception>
    public static async ValueTask<ToolResult> CallAsync(Tool tool, ToolContext context, CancellationToken cancellationToken)
    {
        var (session, ns) = (context.Node.Session, context.Node.Scope.Namespace);
        if (!tool.IsContinued(context))
        {
            session.Usage.CountToolCall();
            session.Publish(new RunEvent.ToolStarted(context.Agent, context.Call) { Namespace = ns });
        }
        var started = session.Services.Time.GetTimestamp();
        var result = await TraceAsync(tool, context, cancellationToken);
        Telemetry.ToolCalls.Add(1, new KeyValuePair<string, object?>("outcome", result.IsError ? "error" : "success"));
        var duration = session.Services.Time.GetElapsedTime(started);
        session.Publish(new RunEvent.ToolEnded(context.Agent, context.Call, result.Content, result.IsError, duration) { Namespace = ns });
        return result;
    }

    private static async ValueTask<ToolResult> TraceAsync(Tool tool, ToolContext context, CancellationToken cancellationToken)
    {
        using var span = StartSpan(tool, context.Call.Id);
        try
        {
            var result = await InvokeAsync(tool, context, cancellationToken);
            if (result.IsError)
            {
                span.Fail(Telemetry.ToolError);
            }
            return result;
        }
        catch (FaultException fault)
        {
            span.Fail(fault.Code);
            throw;
        }
    }

    private static Activity? StartSpan(Tool tool, string callId)
    {
        var span = Telemetry.Source.StartActivity(Telemetry.ToolSpan);
        if (span is null)
        {
            return null;
        }
        span.DisplayName = $"{Telemetry.ToolSpan} {tool.Name}";
        return span.SetTag("gen_ai.operation.name", Telemetry.ToolSpan)
            .SetTag("gen_ai.tool.name", tool.Name)
            .SetTag("gen_ai.tool.call.id", callId);
    }

    private static async ValueTask<ToolResult> InvokeAsync(Tool tool, ToolContext context, CancellationToken cancellationToken)
    {
        var arguments = context.Call.Arguments;
        if (arguments.ValueKind != JsonValueKind.Object)
        {
            return Malformed(tool, arguments);
        }
        var faults = JsonSchemaChecker.Check(arguments, tool.Parameters);
        if (faults.Count > 0)
        {
            var problems = string.Join("; ", faults.Select(fault => $"{fault.Path} {fault.Message}"));
            return ToolResult.Error($"Error: {problems}. Correct the arguments and call again.");
        }
        if (tool.Policy.Gate is not { } gate || tool.IsContinued(context))
        {
            return await AttemptAsync(tool, context, cancellationToken);
        }
        await gate.EnterAsync(context.Node.Session, cancellationToken);
        try
        {
            return await AttemptAsync(tool, context, cancellationToken);
        }
        finally
        {
            gate.Leave();
        }
    }

    private static ValueTask<ToolResult> AttemptAsync(Tool tool, ToolContext context, CancellationToken cancellationToken) =>
        tool.Effects == ToolEffects.None
            ? ToolAttempts.RunAsync(tool, context, cancellationToken)
            : JournaledCall.CallAsync(tool, context, () => ToolAttempts.RunAsync(tool, context, cancellationToken), cancellationToken);

    /// <summary>Reports arguments that are not an object. They are a string with the text that the model wrote.</summary>
    private static ToolResult Malformed(Tool tool, JsonElement arguments) =>
        arguments.ValueKind == JsonValueKind.String && InputJson.IsTooDeep(arguments.GetString()!)
            ? ToolResult.Error(
                $"Error: the JSON of the arguments of {tool.Name} {InputJson.TooDeep}. Call it again with fewer levels of nesting."
            )
            : ToolResult.Error($"Error: the arguments of {tool.Name} are not a JSON object. Call it again with well-formed JSON.");
}
