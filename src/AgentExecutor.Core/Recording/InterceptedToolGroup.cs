using System.Text.Json;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Recording;

/// <summary>Has the declaration of another group of tools, but its list and its calls are handled differently.</summary>
/// <param name="inner">The group, which is an <see cref="IToolGroup"/>.</param>
/// <param name="list">Returns the tools that the group offers.</param>
/// <param name="invoke">Makes a call of the group itself.</param>
internal sealed class InterceptedToolGroup(
    Tool inner,
    Func<bool, CancellationToken, ValueTask<IReadOnlyList<Tool>?>> list,
    Func<JsonElement, ToolContext, CancellationToken, ValueTask<ToolResult>> invoke
) : Tool, IToolGroup
{
    public override string Name => inner.Name;

    public override string Description => inner.Description;

    public override JsonElement Parameters => inner.Parameters;

    public override ToolEffects Effects => inner.Effects;

    public bool Claims(string name) => ((IToolGroup)inner).Claims(name);

    public ValueTask<IReadOnlyList<Tool>?> ListAsync(bool refresh, CancellationToken cancellationToken) => list(refresh, cancellationToken);

    public override ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken) =>
        invoke(arguments, context, cancellationToken);
}
