using System.ComponentModel;
using System.Text.Json;

namespace AgentExecutor.Core.Definitions;

[Description("An agent or a step. The fields of 'config' may also be placed next to 'type'.")]
public sealed record NodeDefinition : NodeConfig
{
    [Description("The unique id of the node, and its default name.")]
    public string Id { get; init; } = "";

    [Description(
        "orchestrator, specialist (the default) or agent (a model with tools); tool (one tool call); set (assigns "
            + "channels); human (asks a person); graph (a sub-graph). Not case-sensitive."
    )]
    public string Type { get; init; } = "";

    public NodeConfig? Config { get; init; }
}

[Description("What a node does.")]
public record NodeConfig
{
    [Description("The name of the agent, a free text. Default: the id.")]
    public string? Name { get; init; }

    [Description("For a specialist: when to delegate tasks to it.")]
    public string? Description { get; init; }

    [Description("For an agent: the system prompt of its model.")]
    public string? SystemPrompt { get; init; }

    [Description("For an agent: its model. Default: the model of the orchestrator.")]
    public ModelDefinition? Model { get; init; }

    [Description("For an agent: the tools that it may call, in addition to the built-in ones.")]
    public IReadOnlyList<string>? Tools { get; init; }

    [Description("For an agent: the names of its skills, which the definition or the operator provides.")]
    public IReadOnlyList<string>? Skills { get; init; }

    [Description(
        "For an agent: auto, none, required, or the name of a tool. A required tool must be called once for each " + "request of the user."
    )]
    public string? ToolChoice { get; init; }

    [Description("For an agent: the JSON Schema of its final answer, as {\"type\": \"json_schema\", \"schema\": {...}} or alone.")]
    public JsonElement? ResponseFormat { get; init; }

    [Description("Channels that the node adds to the state.")]
    public StateSchema? StateSchema { get; init; }

    [Description(
        "For an agent: the tools whose calls need the approval of a person. The value is true or {\"allowed\": "
            + "[\"approve\", \"edit\", \"reject\", \"respond\"], \"recipient\", \"timeout_seconds\", \"on_timeout\", "
            + "\"escalate\": [{\"after_seconds\", \"recipient\"}]}."
    )]
    public IReadOnlyDictionary<string, JsonElement>? InterruptOn { get; init; }

    [Description("For the orchestrator: the limits of a run.")]
    public LimitsDefinition? Limits { get; init; }

    [Description(
        "For an agent in a workflow: the message to it, which may contain {{ expressions }}. Default: the messages of " + "the workflow."
    )]
    public string? Input { get; init; }

    [Description("For an agent, tool or human node: the channel that receives the result.")]
    public string? Output { get; init; }

    [Description("For a tool node: the name of the tool.")]
    public string? Tool { get; init; }

    [Description("For a tool node: the arguments. Texts may contain {{ expressions }}.")]
    public JsonElement? Arguments { get; init; }

    [Description("For a set node: the update of each channel. Texts may contain {{ expressions }}.")]
    public IReadOnlyDictionary<string, JsonElement>? Assign { get; init; }

    [Description("For a human node: the question, which may contain {{ expressions }}.")]
    public string? Question { get; init; }

    [Description(
        "For a human node, interrupt_before and interrupt_after: who answers and until when, as {\"recipient\", "
            + "\"timeout_seconds\", \"on_timeout\", \"escalate\": [{\"after_seconds\", \"recipient\"}]}, and for a human node "
            + "\"options\", the answers that are possible."
    )]
    public JsonElement? Answer { get; init; }

    [Description("For a graph node: the nodes of the sub-graph.")]
    public IReadOnlyList<NodeDefinition>? Nodes { get; init; }

    [Description("For a graph node: the edges of the sub-graph.")]
    public IReadOnlyList<EdgeDefinition>? Edges { get; init; }

    [Description("For a node with several incoming edges: all (wait for every branch that has started) or any (run at each arrival).")]
    public string? Join { get; init; }

    [Description("How transient failures are retried.")]
    public RetryDefinition? Retry { get; init; }

    [Description("The timeout of one attempt in seconds.")]
    public double? TimeoutSeconds { get; init; }

    [Description("Whether a person is asked before the node runs.")]
    public bool? InterruptBefore { get; init; }

    [Description("Whether a person is asked after the node has run, before its result takes effect.")]
    public bool? InterruptAfter { get; init; }
}

[Description("When a failed node is tried again.")]
public sealed record RetryDefinition
{
    [Description("The maximum number of attempts, including the first.")]
    public int? MaxAttempts { get; init; }

    [Description("The maximum delay before the second attempt in seconds. It doubles with each attempt.")]
    public double? FirstDelaySeconds { get; init; }

    [Description("The maximum delay between attempts in seconds.")]
    public double? MaxDelaySeconds { get; init; }
}

[Description("A model, as an object or as a text 'provider:model'.")]
public sealed record ModelDefinition
{
    [Description("The provider: openai, anthropic, ollama, openai-compatible or scripted.")]
    public string? Provider { get; init; }

    [Description("The name of the model at the provider.")]
    public string? Model { get; init; }

    [Description("The same as 'model'.")]
    public string? ModelName { get; init; }

    public double? Temperature { get; init; }

    [Description("The maximum number of tokens of one answer.")]
    public int? MaxTokens { get; init; }

    [Description(
        "How much a reasoning model thinks before it answers: none, minimal, low, medium, high, xhigh or max. Each "
            + "model supports some of these. Default: the default of the model."
    )]
    public string? ReasoningEffort { get; init; }

    [Description("The base URL of an OpenAI-compatible server.")]
    public string? BaseUrl { get; init; }

    [Description("The size of the model's context in tokens. Default: 128,000.")]
    public int? ContextTokens { get; init; }

    [Description(
        "Models to call, in order, when this one fails permanently. By default they have the temperature and " + "max_tokens of this model."
    )]
    public IReadOnlyList<ModelDefinition>? Fallbacks { get; init; }

    [Description("Whether the fallbacks are also called when this model refuses to answer.")]
    public bool? FallbackOnRefusal { get; init; }

    [Description("For the scripted provider: its turns.")]
    public JsonElement? Script { get; init; }

    [Description("For the scripted provider, on the command line only: a file next to the definition that contains the turns.")]
    public string? ScriptFile { get; init; }
}
