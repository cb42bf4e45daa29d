using AgentExecutor.Core.Graphs.Definitions;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Recording;

/// <summary>Another's tools, called in another way. What their headers carry is kept out of recordings.</summary>
internal sealed class TapedToolSource(IToolSource inner, Redaction redaction, Func<ToolDefinition, Tool, Tool> tap) : IToolSource
{
    public string RuntimeType => inner.RuntimeType;

    public IEnumerable<ToolFault> Check(ToolDefinition definition) => inner.Check(definition);

    public Tool Create(ToolDefinition definition)
    {
        redaction.AddHeaders(definition.Runtime?.Headers ?? new Dictionary<string, string>());
        return tap(definition, inner.Create(definition));
    }
}
