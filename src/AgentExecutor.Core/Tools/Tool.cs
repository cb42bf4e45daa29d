using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Tools;

/// <summary>Something that a model can call. One instance serves all runs, so it must not keep state.</summary>
public abstract class Tool
{
    public abstract string Name { get; }

    /// <summary>What the tool does and when to use it, for the model.</summary>
    public abstract string Description { get; }

    /// <summary>The JSON Schema of the arguments, an object.</summary>
    public abstract JsonElement Parameters { get; }

    public virtual ToolEffects Effects => ToolEffects.None;

    /// <summary>How its calls are limited and repeated. The catalog replaces it by what the definition of the tool says.</summary>
    public ToolPolicy Policy { get; set; } = ToolPolicy.None;

    /// <summary>Sets the policy, and returns the tool.</summary>
    public Tool With(ToolPolicy policy)
    {
        Policy = policy;
        return this;
    }

    /// <summary>True if the tool limits the length of its results itself, so that they are never moved to a file.</summary>
    public virtual bool LimitsItsResults => false;

    /// <summary>True if the tool itself asks a person, so that its calls need no approval.</summary>
    public virtual bool AsksItself => false;

    /// <summary>
    /// Returns true if the task runs again because the answer that the call waited for has arrived. The call was counted and announced
    /// before.
    /// </summary>
    public virtual bool IsContinued(ToolContext context) => false;

    /// <summary>
    /// Returns a key for what the call changes; null if it changes nothing. Calls of one turn with the same key run one after another.
    /// </summary>
    public virtual string? Changes(JsonElement arguments) => null;

    /// <summary>
    /// Executes the call. Errors that the model can correct are returned as an error result; other errors are thrown. The tool can write to
    /// the state through <see cref="ToolContext.Node"/>.
    /// </summary>
    public abstract ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken);
}

/// <summary>The side effects of a tool. They determine what happens if it is unknown whether a call took place.</summary>
public enum ToolEffects
{
    /// <summary>The tool has no side effects; a call can be repeated.</summary>
    None,

    /// <summary>Calls with the same idempotency key take effect once; a call can be repeated with the same key.</summary>
    Idempotent,

    /// <summary>Every call takes effect; a call is never repeated if its outcome is unknown.</summary>
    Once,
}

/// <summary>The answer of a tool to the model.</summary>
public readonly record struct ToolResult(string Content, bool IsError = false)
{
    /// <summary>
    /// The changes of the state that the tool returns. They are stored together with the outcome of the call, so that a call whose outcome
    /// is known is not made again and its changes are still applied once.
    /// </summary>
    public ImmutableArray<ToolUpdate> Updates { get; init; }

    /// <summary>
    /// True if the call failed for a reason that may pass, and can be made again with the same key. The policy of the tool decides whether
    /// it is.
    /// </summary>
    public bool IsTransient { get; init; }

    /// <summary>The delay that the failing service asked for.</summary>
    public TimeSpan? RetryAfter { get; init; }

    public static ToolResult Error(string message) => new(message, true);

    public static implicit operator ToolResult(string content) => new(content);

    public static ToolResult ToToolResult(string content) => new(content);
}

/// <summary>The context in which a tool is called.</summary>
/// <param name="Node">The task that makes the call.</param>
/// <param name="Call">The model's call.</param>
/// <param name="Agent">The agent that made the call.</param>
public sealed record ToolContext(NodeContext Node, ToolCall Call, string Agent)
{
    /// <summary>A key that is the same for every attempt of this call.</summary>
    public string IdempotencyKey => Node.TaskId;

    /// <summary>
    /// Asks a person a question under a key, so that the answer belongs to this question regardless of the order of questions. It unwinds
    /// the call until the answer is there. Then the call is made again, and this method returns the answer.
    /// </summary>
    public JsonElement Ask(JsonElement question, string key) => Node.Interrupt(question, key, Terms);

    /// <summary>Publishes how far the call is.</summary>
    /// <param name="message">The text; null if there is none.</param>
    /// <param name="progress">How much of the work is done; null if it is unknown.</param>
    /// <param name="total">The amount of the whole work; null if it is unknown.</param>
    public void Report(string? message, double? progress = null, double? total = null) =>
        Node.Session.Publish(new RunEvent.ToolProgress(Agent, Call, message, progress, total) { Namespace = Node.Scope.Namespace });

    /// <summary>
    /// True if an error of the tool fails the node instead of being returned to a model. Resuming the run then repeats the call.
    /// </summary>
    public bool ErrorsFail { get; init; }

    /// <summary>For a tool that asks a person: from whom and until when the answer is expected.</summary>
    public InterruptTerms Terms { get; init; } = InterruptTerms.None;
}
