using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Tools.External;

/// <summary>
/// A tool that is executed elsewhere (<c>runtime.type: event</c>). The call is stored by the commit of the step and leaves as a message.
/// The run then waits without a worker slot until the result arrives or the deadline passes.
/// </summary>
internal sealed class EventTool(ToolDefinition definition) : Tool
{
    /// <summary>How long a call without a timeout of its own waits for its result.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromDays(1);

    private readonly TimeSpan _timeout = (definition.Runtime?.TimeoutSeconds ?? definition.TimeoutSeconds) is { } seconds
        ? TimeSpan.FromSeconds(seconds)
        : DefaultTimeout;

    private readonly bool _mayRepeat = definition.Effects != "once";

    public override string Name => definition.Name;

    public override string Description => definition.Description ?? "";

    public override JsonElement Parameters { get; } = definition.Parameters ?? ToolArguments.Schema("""{"type": "object"}""");

    /// <summary>
    /// The journal of tool calls is not used: the call is stored once together with its message, and so is its result. Nothing runs here
    /// whose outcome a crash could hide.
    /// </summary>
    public override ToolEffects Effects => ToolEffects.None;

    public override bool IsContinued(ToolContext context) => context.Node.HasAnswer(ExternalCall.KeyOf(1));

    public override async ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
    {
        var attempt = context.Node.CountExternalCall();
        var number = attempt + await FailedAsync(context, cancellationToken);
        var terms = new InterruptTerms
        {
            IsToolCall = true,
            Timeout = _timeout,
            OnTimeout = ExternalCall.NoResult(definition.Name, _timeout),
        };
        var answer = context.Node.Interrupt(Call(context, arguments, number), ExternalCall.KeyOf(number), terms);
        var result = ExternalCall.ResultOf(definition.Name, answer);
        if (result.IsError && context.ErrorsFail && (!_mayRepeat || attempt >= Policy.Retry.MaxAttempts))
        {
            Remember(context, number, result);
        }
        // An attempt that was announced before is not delayed again when its result has arrived.
        return result with
        {
            IsTransient = result.IsError && _mayRepeat,
            RetryAfter = context.Node.HasAnswer(ExternalCall.KeyOf(number + 1)) ? TimeSpan.Zero : null,
        };
    }

    /// <summary>
    /// Returns how many calls of the task have failed its node before. When the failed run is resumed, the tool is called again.
    /// </summary>
    private static async ValueTask<int> FailedAsync(ToolContext context, CancellationToken cancellationToken) =>
        context.ErrorsFail
        && await context.Node.Session.Journal.FindAsync(context.Node.TaskId, cancellationToken) is { Outcome.IsError: true } failed
            ? ExternalCall.NumberOf(failed.CallId)
            : 0;

    private static void Remember(ToolContext context, int number, ToolResult result) =>
        context.Node.Session.Journal.End(
            new StoredToolCall
            {
                TaskId = context.Node.TaskId,
                Namespace = context.Node.Scope.Namespace,
                Tool = context.Call.Name,
                CallId = ExternalCall.IdOf(context.Node.TaskId, number),
                StartedAt = context.Node.Now,
                Outcome = new StoredOutcome(result.Content, true, context.Node.Now),
            }
        );

    private static JsonElement Call(ToolContext context, JsonElement arguments, int number) =>
        JsonBytes.Element(
            (context, arguments, number),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("call_id"u8, ExternalCall.IdOf(it.context.Node.TaskId, it.number));
                writer.WriteString("tool"u8, it.context.Call.Name);
                writer.WritePropertyName("arguments"u8);
                it.arguments.WriteTo(writer);
                writer.WriteString("idempotency_key"u8, it.context.IdempotencyKey);
                writer.WriteString("tool_call_id"u8, it.context.Call.Id);
                writer.WriteString("agent"u8, it.context.Agent);
                writer.WriteEndObject();
            }
        );
}
