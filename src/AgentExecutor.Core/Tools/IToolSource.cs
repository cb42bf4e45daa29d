using AgentExecutor.Core.Graphs.Definitions;

namespace AgentExecutor.Core.Tools;

/// <summary>Makes tools of one runtime (<c>tool_definitions[].runtime.type</c>).</summary>
public interface IToolSource
{
    /// <summary>What definitions call it.</summary>
    string RuntimeType { get; }

    /// <summary>Why the tool cannot be made here; empty where it can. Paths are below the tool definition, such as <c>runtime.url</c>.</summary>
    IEnumerable<ToolFault> Check(ToolDefinition definition);

    Tool Create(ToolDefinition definition);
}

/// <summary>Why a tool cannot be made.</summary>
public sealed record ToolFault(string Path, string Code, string Message, string Hint);
