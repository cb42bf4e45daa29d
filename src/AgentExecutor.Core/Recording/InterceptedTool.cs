using System.Text.Json;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Recording;

/// <summary>Has the declaration of another tool, but its calls are handled differently.</summary>
internal sealed class InterceptedTool(Tool inner, Func<JsonElement, ToolContext, CancellationToken, ValueTask<ToolResult>> invoke) : Tool
{
    public override string Name => inner.Name;

    public override string Description => inner.Description;

    public override JsonElement Parameters => inner.Parameters;

    public override ToolEffects Effects => inner.Effects;

    public override bool LimitsItsResults => inner.LimitsItsResults;

    public override string? Changes(JsonElement arguments) => inner.Changes(arguments);

    public override ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken) =>
        invoke(arguments, context, cancellationToken);
}
