using System.ComponentModel;
using System.Text.Json;

namespace AgentExecutor.Core.Graphs.Definitions;

[Description("An agent or a step. The fields of 'config' may also stand beside 'type'.")]
public sealed record NodeDefinition : NodeConfig
{
    [Description("Unique; the node's name unless it has one.")]
    public string Id { get; init; } = "";

    [Description("orchestrator, specialist or agent (a model with tools); tool (one call); set (assigns channels); human (asks a person); graph (a sub-graph).")]
    public string Type { get; init; } = "";

    public NodeConfig? Config { get; init; }
}

[Description("What a node does.")]
public record NodeConfig
{
    [Description("What the agent is called; the id where left out.")]
    public string? Name { get; init; }

    [Description("Of a specialist: when to hand it a task.")]
    public string? Description { get; init; }

    [Description("Of an agent: what its model is told first.")]
    public string? SystemPrompt { get; init; }

    [Description("Of an agent: its model; the orchestrator's where left out.")]
    public ModelDefinition? Model { get; init; }

    [Description("Of an agent: the tools that it may call, beside the built-in ones.")]
    public IReadOnlyList<string>? Tools { get; init; }

    [Description("Of an agent: whether it must call a tool: auto, none, required, or the name of one; it must only until it has, once for each request.")]
    public string? ToolChoice { get; init; }

    [Description("Of an agent: its final answer is JSON that fits this schema: {\"type\": \"json_schema\", \"schema\": {...}}, or the schema alone.")]
    public JsonElement? ResponseFormat { get; init; }

    [Description("Channels that the node brings to the state.")]
    public StateSchema? StateSchema { get; init; }

    [Description("Of an agent: by tool, true or {\"allowed\": [\"approve\", \"edit\", \"reject\"]}: a person decides before the call.")]
    public IReadOnlyDictionary<string, JsonElement>? InterruptOn { get; init; }

    [Description("Limits of a run, where this is the orchestrator.")]
    public LimitsDefinition? Limits { get; init; }

    [Description("Of an agent in a workflow: the message to it; may hold {{ expressions }}. The workflow's messages where left out.")]
    public string? Input { get; init; }

    [Description("Of an agent, tool or human: the channel that gets the result.")]
    public string? Output { get; init; }

    [Description("Of a tool node: the tool.")]
    public string? Tool { get; init; }

    [Description("Of a tool node: the arguments; texts may hold {{ expressions }}.")]
    public JsonElement? Arguments { get; init; }

    [Description("Of a set node: by channel the update; texts may hold {{ expressions }}.")]
    public IReadOnlyDictionary<string, JsonElement>? Assign { get; init; }

    [Description("Of a human node: the question; may hold {{ expressions }}.")]
    public string? Question { get; init; }

    [Description("Of a graph node: the nodes of the sub-graph.")]
    public IReadOnlyList<NodeDefinition>? Nodes { get; init; }

    [Description("Of a graph node: the edges of the sub-graph.")]
    public IReadOnlyList<EdgeDefinition>? Edges { get; init; }

    [Description("Where several edges lead here: all (wait for every branch that was started) or any (run at each arrival).")]
    public string? Join { get; init; }

    [Description("Attempts and back-off for transient failures.")]
    public RetryDefinition? Retry { get; init; }

    [Description("Seconds that one attempt of the node may take.")]
    public double? TimeoutSeconds { get; init; }

    [Description("Ask a person before the node runs.")]
    public bool? InterruptBefore { get; init; }

    [Description("Ask a person after the node ran, before its result takes effect.")]
    public bool? InterruptAfter { get; init; }
}

[Description("When a failed node is tried again.")]
public sealed record RetryDefinition
{
    [Description("Attempts in all.")]
    public int? MaxAttempts { get; init; }

    [Description("The longest wait before the second attempt; it doubles from there.")]
    public double? FirstDelaySeconds { get; init; }

    [Description("The longest wait of all.")]
    public double? MaxDelaySeconds { get; init; }
}

[Description("A model; also as a text 'provider:model'.")]
public sealed record ModelDefinition
{
    [Description("Who serves it: openai, anthropic, ollama, openai-compatible or scripted.")]
    public string? Provider { get; init; }

    [Description("The model's name there.")]
    public string? Model { get; init; }

    [Description("The same as 'model'.")]
    public string? ModelName { get; init; }

    public double? Temperature { get; init; }

    [Description("Tokens of one answer.")]
    public int? MaxTokens { get; init; }

    [Description("How much a reasoning model thinks before it answers: none, minimal, low, medium, high, xhigh or max, of which each model takes some; its own choice where left out.")]
    public string? ReasoningEffort { get; init; }

    [Description("Where an OpenAI-compatible server is.")]
    public string? BaseUrl { get; init; }

    [Description("Input tokens that the model takes; 128,000 where left out.")]
    public int? ContextTokens { get; init; }

    [Description("Models to ask, in order, when this one fails for good; temperature and max_tokens are this one's where left out.")]
    public IReadOnlyList<ModelDefinition>? Fallbacks { get; init; }

    [Description("Ask the fallbacks also where this one refuses to answer.")]
    public bool? FallbackOnRefusal { get; init; }

    [Description("Of the scripted provider: its turns.")]
    public JsonElement? Script { get; init; }

    [Description("Of the scripted provider, with the command line alone: a file with its turns, beside the definition.")]
    public string? ScriptFile { get; init; }
}
