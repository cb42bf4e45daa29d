using AgentExecutor.Core.Definitions;

namespace AgentExecutor.Core.Tools;

/// <summary>Creates the tools of one runtime (<c>tool_definitions[].runtime.type</c>).</summary>
public interface IToolSource
{
    /// <summary>The name of the runtime in definitions.</summary>
    string RuntimeType { get; }

    /// <summary>
    /// Finds out what <see cref="Check"/> and <see cref="Create"/> need to know about tools and what their definitions do not say, such as
    /// the arguments that a script declares. It is called before them. What is wrong with a tool is reported by <see cref="Check"/>.
    /// </summary>
    ValueTask PrepareAsync(IReadOnlyList<ToolDefinition> definitions, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <summary>
    /// Returns the reasons why the tool cannot be created here; empty if there are none. Paths are relative to the tool definition, such as
    /// <c>runtime.url</c>.
    /// </summary>
    IEnumerable<ToolFault> Check(ToolDefinition definition);

    /// <summary>
    /// Returns the effects of a tool whose definition does not state them: <c>none</c>, <c>idempotent</c> or <c>once</c>. If it returns
    /// null, the settings decide.
    /// </summary>
    string? EffectsOf(ToolDefinition definition) => null;

    /// <summary>
    /// Creates a tool. Its definition states the effects of the tool. It must have no faults, except for faults of the environment: such a
    /// tool can be inspected but not called.
    /// </summary>
    Tool Create(ToolDefinition definition);
}

/// <summary>A reason why a tool cannot be created.</summary>
/// <param name="Path">The path relative to the tool definition, such as <c>runtime.url</c>.</param>
/// <param name="Code">The stable code.</param>
/// <param name="Message">What is wrong.</param>
/// <param name="Hint">How to fix it.</param>
/// <param name="IsWarning">True if the tool can be created nevertheless.</param>
public sealed record ToolFault(string Path, string Code, string Message, string Hint, bool IsWarning = false)
{
    /// <summary>True if the definition itself is valid but the operator's settings prevent the tool from being used here.</summary>
    public bool IsEnvironment { get; init; }
}
