using System.ComponentModel;
using System.Text.Json;

namespace AgentExecutor.Core.Graphs.Definitions;

[Description("An agent: with an orchestrator (or edges left out) a deep agent, with edges from START a workflow graph.")]
public sealed record AgentDefinition
{
    [Description("A short name, for lists and logs.")]
    public string? Name { get; init; }

    [Description("The author's version of the definition.")]
    public string? Version { get; init; }

    [Description("What the agent is for.")]
    public string? Description { get; init; }

    [Description("The tools that nodes may name.")]
    public IReadOnlyList<ToolDefinition>? ToolDefinitions { get; init; }

    [Description("The agents and steps.")]
    public IReadOnlyList<NodeDefinition>? Nodes { get; init; }

    [Description("Of a workflow: what follows what, from START to END.")]
    public IReadOnlyList<EdgeDefinition>? Edges { get; init; }

    [Description("Values of channels before the first superstep.")]
    public JsonElement? InitialState { get; init; }

    [Description("The channels of the state and their reducers.")]
    public StateSchema? StateSchema { get; init; }

    [Description("Limits of a run; they may only lower the server's.")]
    public LimitsDefinition? Limits { get; init; }

    [Description("What may be spent on models, and what becomes of a call that is not covered.")]
    public BudgetDefinition? Budget { get; init; }
}

[Description("The channels of the state, as a JSON Schema of an object whose properties may name a reducer.")]
public sealed record StateSchema
{
    public string? Type { get; init; }

    [Description("By channel name.")]
    public IReadOnlyDictionary<string, ChannelDefinition>? Properties { get; init; }
}

[Description("A channel of the state.")]
public sealed record ChannelDefinition
{
    [Description("How updates are folded in: last_value (the default), append, merge, sum, set, barrier, topic, messages or files.")]
    public string? Reducer { get; init; }

    [Description("The JSON type of the value, for readers.")]
    public JsonElement? Type { get; init; }

    public string? Description { get; init; }
}

[Description("A tool that the definition brings.")]
public sealed record ToolDefinition
{
    [Description("What models and nodes call it.")]
    public string Name { get; init; } = "";

    [Description("What it does and when to use it, for the model.")]
    public string? Description { get; init; }

    [Description("The JSON Schema of its arguments, an object.")]
    public JsonElement? Parameters { get; init; }

    [Description("What it does to the world: none (may be repeated), idempotent (may be repeated with the same key) or once (never repeated on a guess).")]
    public string? Effects { get; init; }

    [Description("How it is run.")]
    public ToolRuntimeDefinition? Runtime { get; init; }

    internal string RuntimeType => Runtime?.Type ?? (Runtime?.Script is not null ? "script" : Runtime?.Url is not null ? "http" : "builtin");
}

[Description("How a tool is run.")]
public sealed record ToolRuntimeDefinition
{
    [Description("script, http, mcp or builtin; told from the other fields where left out.")]
    public string? Type { get; init; }

    [Description("Of a script: Python. It reads the arguments as JSON from standard input, and what it prints is the result.")]
    public string? Script { get; init; }

    [Description("Of http: where the arguments are sent, as a JSON body.")]
    public string? Url { get; init; }

    [Description("Of http: POST by default.")]
    public string? Method { get; init; }

    [Description("Of http: headers to send.")]
    public IReadOnlyDictionary<string, string>? Headers { get; init; }

    [Description("Seconds that one call may take.")]
    public double? TimeoutSeconds { get; init; }
}

[Description("What follows a node.")]
public sealed record EdgeDefinition
{
    [Description("A node's id, or START.")]
    public string From { get; init; } = "";

    [Description("A node's id, or END.")]
    public string To { get; init; } = "";

    [Description("Take the edge when this expression holds; 'else' when no other condition of the node held.")]
    public string? When { get; init; }

    [Description("Run the target once for each item of this list expression; the item is 'item' there.")]
    public string? ForEach { get; init; }
}

[Description("Limits of a run.")]
public sealed record LimitsDefinition
{
    [Description("Supersteps of the graph and all sub-graphs together.")]
    public long? MaxSupersteps { get; init; }

    [Description("Tool calls of all agents together.")]
    public long? MaxToolCalls { get; init; }

    [Description("How deep sub-agents may nest.")]
    public int? MaxSubagentDepth { get; init; }

    [Description("Tasks of one superstep that run at once.")]
    public int? MaxParallelTasks { get; init; }

    [Description("Tasks that one superstep may start.")]
    public int? MaxFanOut { get; init; }

    [Description("Input and output tokens of all model calls together.")]
    public long? MaxTokens { get; init; }

    [Description("US dollars that all model calls together may cost.")]
    public double? MaxCostUsd { get; init; }

    [Description("Seconds that workers may spend on the run; waiting for a person does not count.")]
    public double? MaxSeconds { get; init; }
}

[Description("What may be spent on models: reserved before each call, counted after it.")]
public sealed record BudgetDefinition
{
    [Description("Of one run.")]
    public SpendingDefinition? Run { get; init; }

    [Description("Of all runs of a thread together.")]
    public SpendingDefinition? Thread { get; init; }

    [Description("Of all runs of definitions of this name together.")]
    public SharedSpendingDefinition? Definition { get; init; }

    [Description("stop (fail the run; the default), interrupt (ask a person) or switch (call 'switch_to' instead).")]
    public string? OnExhausted { get; init; }

    [Description("A cheaper model, for when the budget is used up; the limits hold it still.")]
    public ModelDefinition? SwitchTo { get; init; }
}

[Description("How much may be spent.")]
public record SpendingDefinition
{
    [Description("Input and output tokens together.")]
    public long? Tokens { get; init; }

    [Description("US dollars, by the server's price table.")]
    public double? CostUsd { get; init; }
}

[Description("How much may be spent within a time.")]
public sealed record SharedSpendingDefinition : SpendingDefinition
{
    [Description("After what time it begins anew, by UTC: hour, day, month, or total (never; the default).")]
    public string? Per { get; init; }
}
