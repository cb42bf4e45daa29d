using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>
/// Runs a script. What the definition says about the tool takes precedence over what the script says. What a call prints is published as
/// progress, and is not part of the result.
/// </summary>
internal sealed class ScriptTool(
    ToolDefinition definition,
    ScriptSource script,
    ScriptInspection inspection,
    RunnerPool runners,
    ScriptToolSettings settings,
    TimeProvider time
) : Tool
{
    private static readonly JsonElement AnyObject = StoredJson.Parse("""{"type": "object"}""");

    private readonly TimeSpan _limit = TimeSpan.FromSeconds(definition.Runtime!.TimeoutSeconds ?? settings.TimeoutSeconds);

    public override string Name => definition.Name;

    public override string Description => definition.Description is { Length: > 0 } text ? text : inspection.Description;

    public override JsonElement Parameters => definition.Parameters ?? inspection.Parameters ?? AnyObject;

    public override ToolEffects Effects =>
        definition.Effects switch
        {
            "once" => ToolEffects.Once,
            "none" => ToolEffects.None,
            _ => ToolEffects.Idempotent,
        };

    public override async ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(_limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        var key = new RunnerKey(context.Node.Session.Run.DefinitionHash, "", script.Hash);
        try
        {
            var outcome = await runners.CallAsync(key, script, new ScriptCall(context, arguments, inspection.Channels), either.Token);
            Publish(outcome, context);
            return new ToolResult(outcome.Content, outcome.IsError) { Updates = FileUpdates.Complete(outcome.Updates, context.Node) };
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return Failed($"{Name} did not finish within {_limit.TotalSeconds:0.###} s and was ended.{Unknown}");
        }
        catch (RunnerException exception)
        {
            return Failed($"the process of {Name} failed: {exception.Message}.{Unknown}");
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.SandboxUnavailable)
        {
            return Failed($"{Name} was not called: {fault.Message}.");
        }
    }

    /// <summary>A warning to the model, if a repetition of a call that has failed could be harmful.</summary>
    private string Unknown =>
        Effects == ToolEffects.Once ? " It is unknown whether the call took effect. Find out before you call it again." : "";

    private static ToolResult Failed(string message) => ToolResult.Error($"Error: {message}") with { IsTransient = true };

    private static void Publish(ScriptOutcome outcome, ToolContext context)
    {
        if (outcome.Log.Trim() is { Length: > 0 } log)
        {
            var rest = outcome.DroppedLogBytes > 0 ? $"\n(and {outcome.DroppedLogBytes} more bytes)" : "";
            context.Node.Session.Publish(
                new RunEvent.ToolProgress(context.Agent, context.Call, WellFormedText.Of(log + rest))
                {
                    Namespace = context.Node.Scope.Namespace,
                }
            );
        }
    }
}
