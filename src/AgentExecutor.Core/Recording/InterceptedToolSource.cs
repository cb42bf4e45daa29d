using System.Text.Json;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Recording;

/// <summary>Replaces the tools of another source. The values of their headers are kept out of recordings.</summary>
/// <param name="inner">The source of the tools.</param>
/// <param name="redaction">Removes secrets from recordings.</param>
/// <param name="isCalled">True if the tools are really called and therefore need the operator's settings.</param>
/// <param name="replace">Returns the replacement of a tool.</param>
internal sealed class InterceptedToolSource(IToolSource inner, Redaction redaction, bool isCalled, Func<ToolDefinition, Tool, Tool> replace)
    : IToolSource,
        IAsyncDisposable
{
    public string RuntimeType => inner.RuntimeType;

    public ValueTask PrepareAsync(IReadOnlyList<ToolDefinition> definitions, CancellationToken cancellationToken) =>
        inner.PrepareAsync(definitions, cancellationToken);

    public IEnumerable<ToolFault> Check(ToolDefinition definition) =>
        inner.Check(definition).Where(fault => isCalled || !fault.IsEnvironment);

    public async ValueTask DisposeAsync()
    {
        if (inner is IAsyncDisposable asynchronous)
        {
            await asynchronous.DisposeAsync();
        }
        else
        {
            (inner as IDisposable)?.Dispose();
        }
    }

    public string? EffectsOf(ToolDefinition definition) => inner.EffectsOf(definition);

    public Tool Create(ToolDefinition definition)
    {
        redaction.AddHeaders(
            (definition.Runtime?.Headers ?? new Dictionary<string, JsonElement>())
                .Where(header => header.Value.ValueKind == JsonValueKind.String)
                .Select(header => KeyValuePair.Create(header.Key, header.Value.GetString()!))
        );
        var tool = inner.Create(definition);
        return replace(definition, tool).With(tool.Policy);
    }
}
