using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace AgentExecutor.Core.Definitions;

[Description("An agent definition: a workflow graph if it has edges from START, otherwise a deep agent.")]
public sealed record AgentDefinition
{
    [Description("A short name, for lists and logs.")]
    public string? Name { get; init; }

    [Description("The version of the definition, a text or a number.")]
    public JsonElement? Version { get; init; }

    [Description("The purpose of the agent.")]
    public string? Description { get; init; }

    [Description("The tools that nodes can use.")]
    public IReadOnlyList<ToolDefinition>? ToolDefinitions { get; init; }

    [Description(
        "Skills that agents can use, by name: the texts of their files by path. The file SKILL.md begins with a YAML header "
            + "that contains the name and the description of the skill."
    )]
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>>? Skills { get; init; }

    [Description("The agents and steps.")]
    public IReadOnlyList<NodeDefinition>? Nodes { get; init; }

    [Description(
        "For a workflow: the order of the nodes, from START to END. For a deep agent: the specialists to which the "
            + "orchestrator delegates tasks. Default: all of them."
    )]
    public IReadOnlyList<EdgeDefinition>? Edges { get; init; }

    [Description("Values of channels before the first superstep.")]
    public JsonElement? InitialState { get; init; }

    [Description("The channels of the state and their reducers.")]
    public StateSchema? StateSchema { get; init; }

    [Description("The limits of a run. They can only lower the limits of the service.")]
    public LimitsDefinition? Limits { get; init; }

    [Description("What may be spent on models, and what happens to a call that exceeds it.")]
    public BudgetDefinition? Budget { get; init; }
}

[Description(
    "The channels of the state: a JSON Schema of an object whose properties may name a reducer, or directly an object of channels by name."
)]
public sealed record StateSchema
{
    public string? Type { get; init; }

    [Description("The channels by name.")]
    public IReadOnlyDictionary<string, ChannelDefinition>? Properties { get; init; }
}

[Description("A channel of the state.")]
public sealed record ChannelDefinition
{
    [Description(
        "How updates are combined with the value: last_value (the default), append, merge, sum, set, barrier, topic, "
            + "messages or files. add_messages, add, replace and other names of older definitions are read as one of these."
    )]
    public string? Reducer { get; init; }

    [Description("The JSON type of the value, for readers.")]
    public JsonElement? Type { get; init; }

    [Description("For a list: the type of its items, for readers.")]
    public JsonElement? ItemType { get; init; }

    [Description("The value of the channel before the first superstep.")]
    public JsonElement? Default { get; init; }

    public string? Description { get; init; }
}

[Description("A tool of the definition.")]
public sealed record ToolDefinition
{
    [Description("The name of the tool, for models and nodes.")]
    public string Name { get; init; } = "";

    [Description("What the tool does and when to use it, for the model.")]
    public string? Description { get; init; }

    [Description("The JSON Schema of its arguments, an object.")]
    public JsonElement? Parameters { get; init; }

    [Description(
        "The effects of a call: none (it may be repeated), idempotent (it may be repeated with the same key) or once "
            + "(it is not repeated if its outcome is unknown). Default: none for GET and HEAD requests and for MCP tools that only "
            + "read, once for MCP tools that declare that they destroy something, and otherwise as the service is configured."
    )]
    public string? Effects { get; init; }

    /// <summary>False if the author did not state the effects, and they were filled in.</summary>
    [JsonIgnore]
    public bool StatesEffects { get; init; } = true;

    [Description("The time limit of one attempt of a call in seconds.")]
    public double? TimeoutSeconds { get; init; }

    [Description("How calls that failed for a reason that may pass are repeated. Calls of tools with the effects 'once' are not.")]
    public RetryDefinition? Retry { get; init; }

    [Description("The maximum number of calls of the tool that run at once in a process of the service. Further calls wait.")]
    public int? MaxConcurrent { get; init; }

    [Description("The maximum number of calls of the tool per minute in a process of the service. Further calls wait.")]
    public double? CallsPerMinute { get; init; }

    [Description("How the tool is executed.")]
    public ToolRuntimeDefinition? Runtime { get; init; }

    [Description("The same as 'script' of 'runtime', as older definitions write it.")]
    public string? Script { get; init; }

    [Description("The same as 'dependencies' of 'runtime', as older definitions write it.")]
    public IReadOnlyList<string>? Dependencies { get; init; }

    /// <summary>
    /// The beginning of the names of the tools for which this definition stands; null if it stands for one tool.
    /// </summary>
    public string? NamePrefix() =>
        (RuntimeType, Runtime) is ("mcp", { Tool: null }) or ("openapi", { Operation: null }) ? Runtime!.Prefix ?? $"{Name}_" : null;

    /// <summary>True for a tool over HTTP that is described by an OpenAPI document.</summary>
    private bool IsOpenApi => Runtime is { Openapi: not null, Type: null or "http" };

    internal string RuntimeType =>
        IsOpenApi
            ? "openapi"
            : Runtime?.Type
                ?? (
                    Runtime?.Script is not null ? "script"
                    : Runtime?.Server is not null || Runtime?.Command is not null ? "mcp"
                    : Runtime?.Url is not null ? "http"
                    : "builtin"
                );
}

[Description("How a tool is run.")]
public sealed record ToolRuntimeDefinition
{
    [Description("The kind: script, http, openapi, mcp or builtin. By default it is derived from the other fields.")]
    public string? Type { get; init; }

    [Description(
        "For a script: its source. It defines a tool with @tool, BaseTool or StructuredTool (Python), exports a function (JavaScript), or "
            + "reads the arguments as JSON from standard input and writes the result to standard output."
    )]
    public string? Script { get; init; }

    [Description("For a script: its language: python (the default), javascript (Node.js) or shell (sh).")]
    public string? Language { get; init; }

    [Description("For a script: the packages that it imports. They must be installed where the script runs; nothing is downloaded.")]
    public IReadOnlyList<string>? Dependencies { get; init; }

    [Description("For a script: whether it may use the network, as far as the operator allows it. Default: false.")]
    public bool? Network { get; init; }

    [Description(
        "For http: the URL. {name} in its path or query is replaced by the percent-encoded argument with this name. Arguments that "
            + "occur nowhere in the URL, the query or the headers are sent as a JSON body or, with GET, HEAD and DELETE, in the query."
    )]
    public string? Url { get; init; }

    [Description("For http: the method. Default: POST.")]
    public string? Method { get; init; }

    [Description(
        "For http: parameters to add to the query of the URL. A value is a text, in which {name} is replaced by an argument, a number, "
            + "a boolean, or refers to a secret as in 'headers'. It is omitted if an optional argument in it is missing."
    )]
    public IReadOnlyDictionary<string, JsonElement>? Query { get; init; }

    [Description(
        "For http: the headers. A value is a text, in which {name} is replaced by an argument, or refers to an environment variable "
            + "with a secret, which the operator must allow: {\"env\": \"MY_KEY\", \"prefix\": \"Bearer \"}."
    )]
    public IReadOnlyDictionary<string, JsonElement>? Headers { get; init; }

    [Description(
        "For http: the body. In texts, {name} is replaced by an argument; a text that is only {name} becomes the argument with its own "
            + "type. An object or a list is sent as JSON, or as a form if the Content-Type is application/x-www-form-urlencoded, and a "
            + "text as it is. Default: a JSON object of the arguments that are not used elsewhere."
    )]
    public JsonElement? Body { get; init; }

    [Description("For mcp: the name of a server in the settings of the service. Instead, 'url' or 'command' describes a server.")]
    public string? Server { get; init; }

    [Description("For mcp: the program of a server that communicates over standard input and output. It runs in the sandbox.")]
    public string? Command { get; init; }

    [Description("For mcp: the arguments of 'command'.")]
    public IReadOnlyList<string>? Args { get; init; }

    [Description("For mcp: the environment variables of 'command'. A value is a text, or refers to a secret as in 'headers'.")]
    public IReadOnlyDictionary<string, JsonElement>? Env { get; init; }

    [Description("For mcp: the one tool of the server that this definition stands for. Default: all tools of the server.")]
    public string? Tool { get; init; }

    [Description("For mcp: the tools of the server that models can call, of which names may end with *. Default: all of them.")]
    public IReadOnlyList<string>? Tools { get; init; }

    [Description(
        "For openapi: the OpenAPI 3 document, as an object or as a text with JSON or YAML. 'url' replaces the URL of its server, and "
            + "'headers' and 'query' are sent with every request."
    )]
    public JsonElement? Openapi { get; init; }

    [Description("For openapi: the operationId of the one operation that this definition stands for. Default: all operations.")]
    public string? Operation { get; init; }

    [Description("For openapi: the operations that models can call, of which names may end with *. Default: all that have an operationId.")]
    public IReadOnlyList<string>? Operations { get; init; }

    [Description(
        "For mcp and openapi: the beginning of the names under which models know the tools. Default: the name of the definition and '_'."
    )]
    public string? Prefix { get; init; }

    [Description("The timeout of one call in seconds.")]
    public double? TimeoutSeconds { get; init; }
}

[Description("The successor of a node. In a deep agent: a specialist to which the orchestrator may delegate tasks.")]
public sealed record EdgeDefinition
{
    [Description("The id of a node, or START.")]
    public string From { get; init; } = "";

    [Description("The id of a node, or END.")]
    public string To { get; init; } = "";

    [Description("The same as 'from'.")]
    public string? Source { get; init; }

    [Description("The same as 'to'.")]
    public string? Target { get; init; }

    [Description("For delegation: orchestrator or specialists. Not case-sensitive.")]
    public string? Type { get; init; }

    [Description("The condition of the edge, an expression; or 'else', which is true if no other condition of the node is.")]
    public string? When { get; init; }

    [Description("An expression for a list. The target runs once for each item, which its expressions refer to as 'item'.")]
    public string? ForEach { get; init; }
}

[Description("Limits of a run.")]
public sealed record LimitsDefinition
{
    [Description("The maximum number of supersteps of the graph and all sub-graphs together.")]
    public long? MaxSupersteps { get; init; }

    [Description("The maximum number of tool calls of all agents together.")]
    public long? MaxToolCalls { get; init; }

    [Description("The maximum nesting depth of sub-agents.")]
    public int? MaxSubagentDepth { get; init; }

    [Description("The maximum number of tasks of a superstep that execute at once.")]
    public int? MaxParallelTasks { get; init; }

    [Description("The maximum number of tasks that one superstep may start.")]
    public int? MaxFanOut { get; init; }

    [Description("The maximum number of input and output tokens of all model calls together.")]
    public long? MaxTokens { get; init; }

    [Description("The maximum cost of all model calls together, in US dollars.")]
    public double? MaxCostUsd { get; init; }

    [Description("The maximum time in seconds that workers may spend on the run. Waiting for a person does not count.")]
    public double? MaxSeconds { get; init; }
}

[Description("What may be spent on models: reserved before each call, counted after it.")]
public sealed record BudgetDefinition
{
    [Description("The budget of one run.")]
    public SpendingDefinition? Run { get; init; }

    [Description("The budget of all runs of a thread.")]
    public SpendingDefinition? Thread { get; init; }

    [Description("The budget of all runs of all definitions with this name.")]
    public SharedSpendingDefinition? Definition { get; init; }

    [Description(
        "What happens when a budget is used up: stop (fail the run; the default), interrupt (ask a person) or switch "
            + "(continue with 'switch_to')."
    )]
    public string? OnExhausted { get; init; }

    [Description("The cheaper model that is used when a budget is used up. The limits still apply to it.")]
    public ModelDefinition? SwitchTo { get; init; }
}

[Description("How much may be spent.")]
public record SpendingDefinition
{
    [Description("The maximum number of input and output tokens together.")]
    public long? Tokens { get; init; }

    [Description("The maximum cost in US dollars, according to the price table of the service.")]
    public double? CostUsd { get; init; }
}

[Description("How much may be spent within a time.")]
public sealed record SharedSpendingDefinition : SpendingDefinition
{
    [Description("The period of the budget, in UTC: hour, day, month, or total (the default).")]
    public string? Per { get; init; }
}
