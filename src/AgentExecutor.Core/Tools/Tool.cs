using System.Text.Json;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Tools;

/// <summary>Something that a model may call. One instance serves all runs, so it keeps no state of its own.</summary>
public abstract class Tool
{
    public abstract string Name { get; }

    /// <summary>What it does and when to use it, for the model.</summary>
    public abstract string Description { get; }

    /// <summary>The JSON Schema of its arguments, an object.</summary>
    public abstract JsonElement Parameters { get; }

    public virtual ToolEffects Effects => ToolEffects.None;

    /// <summary>True where its result is never moved to a file: it pages by itself.</summary>
    public virtual bool PagesItself => false;

    /// <summary>
    /// What the call changes, where two calls of one turn that change the same must follow each other; null where none does.
    /// </summary>
    public virtual string? Changes(JsonElement arguments) => null;

    /// <summary>
    /// Does it. What the model can mend is told as an error result; what it cannot is thrown. It may write to the state through
    /// <see cref="ToolContext.Node"/>.
    /// </summary>
    public abstract ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken);
}

/// <summary>What a tool does to the world, and so what may be done when nobody knows whether a call took place.</summary>
public enum ToolEffects
{
    /// <summary>Nothing: it may be called again.</summary>
    None,

    /// <summary>The same idempotency key has the effect once: it may be called again with it.</summary>
    Idempotent,

    /// <summary>Each call has its effect: it is never repeated on a guess.</summary>
    Once,
}

/// <summary>What a tool says to the model.</summary>
public readonly record struct ToolResult(string Content, bool IsError = false)
{
    public static ToolResult Error(string message) => new(message, true);

    public static implicit operator ToolResult(string content) => new(content);

    public static ToolResult ToToolResult(string content) => new(content);
}

/// <summary>In which task a tool is called.</summary>
/// <param name="Node">The task.</param>
/// <param name="Call">The model's call.</param>
/// <param name="Agent">The agent that called.</param>
public sealed record ToolContext(NodeContext Node, ToolCall Call, string Agent)
{
    /// <summary>The same for every attempt at this call.</summary>
    public string IdempotencyKey => Node.TaskId;

    /// <summary>An error of the tool fails its node, and is not told to a model: then whoever resumes the run wants the call made again.</summary>
    public bool ErrorsFail { get; init; }
}
