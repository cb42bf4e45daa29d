using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Tools;
using Declared = ModelContextProtocol.Protocol.ToolAnnotations;

namespace AgentExecutor.Adapters.Mcp;

/// <summary>The effects of tools of servers: as the definition states, or as the server declares, or as the settings say.</summary>
internal static class McpEffects
{
    public static ToolEffects Of(ToolDefinition definition, Declared? declared) =>
        definition.StatesEffects ? Read(definition)
        : declared?.ReadOnlyHint is true ? ToolEffects.None
        : declared?.DestructiveHint is true && declared.IdempotentHint is not true ? ToolEffects.Once
        : Read(definition);

    private static ToolEffects Read(ToolDefinition definition) =>
        definition.Effects switch
        {
            "none" => ToolEffects.None,
            "once" => ToolEffects.Once,
            _ => ToolEffects.Idempotent,
        };
}
