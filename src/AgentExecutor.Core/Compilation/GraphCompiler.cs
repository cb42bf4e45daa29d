using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Expressions;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Steps;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Compilation;

/// <summary>Compiles a workflow and its sub-graphs to a <see cref="Graph"/>. The definition must be valid.</summary>
internal sealed class GraphCompiler(
    AgentDefinition definition,
    ModelCatalog models,
    Dictionary<string, Tool> tools,
    Func<GraphPart, NodeConfig, NodeDefinition, AgentSpec> makeAgent,
    ImmutableArray<AgentSpec>.Builder agents
)
{
    /// <summary>The condition that holds if no other condition of the node does.</summary>
    public const string Else = "else";

    public Graph Compile(GraphPart part, string name)
    {
        var joins = new JoinAnalysis(part);
        return new Graph(
            name,
            [.. part.Each().Select(it => Compile(part, it.Node, it.Config, it.Index, joins.ModeOf(it.Node)!.Value))],
            [.. part.Edges.Select(Compile)],
            [.. AgentState.Channels, .. DeclaredChannels(part.Nodes, definition).Where(channel => !AgentState.Contains(channel.Name))]
        );
    }

    /// <summary>
    /// Returns the channels that a definition and these nodes mention anywhere: in a state schema, the initial state, an output or an
    /// assignment.
    /// </summary>
    public static ImmutableArray<Channel> DeclaredChannels(IReadOnlyList<NodeDefinition> nodes, AgentDefinition definition)
    {
        var channels = new Dictionary<string, Channel>(StringComparer.Ordinal);
        foreach (var channel in nodes.Select(node => node.Config?.StateSchema).Prepend(definition.StateSchema).SelectMany(ChannelsOf))
        {
            channels[channel.Name] = channel;
        }
        var named = nodes.SelectMany(node => (node.Config?.Assign?.Keys ?? []).Concat(node.Config?.Output is { } output ? [output] : []));
        var initial = definition.InitialState is { ValueKind: JsonValueKind.Object } state
            ? state.EnumerateObject().Select(field => field.Name)
            : [];
        foreach (var name in named.Concat(initial))
        {
            channels.TryAdd(name, new LastValueChannel(name));
        }
        return [.. channels.Values];
    }

    /// <summary>Returns the channels that a state schema declares.</summary>
    public static IEnumerable<Channel> ChannelsOf(StateSchema? schema) =>
        (schema?.Properties ?? new Dictionary<string, ChannelDefinition>())
            .Select(field => ChannelKinds.Create(field.Value.Reducer ?? LastValueChannel.KindName, field.Key))
            .OfType<Channel>();

    /// <summary>Returns the values that a state schema gives its channels before the first superstep.</summary>
    public static IEnumerable<KeyValuePair<string, JsonElement>> DefaultsOf(StateSchema? schema) =>
        (schema?.Properties ?? new Dictionary<string, ChannelDefinition>())
            .Where(field => field.Value.Default is { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined) })
            .Select(field => KeyValuePair.Create(field.Key, field.Value.Default!.Value));

    private Node Compile(GraphPart part, NodeDefinition node, NodeConfig config, int index, JoinMode join) =>
        new(node.Id, Body(part, node, config, index))
        {
            Kind = node.Type,
            Join = join,
            Retry = config.Retry is { } retry
                ? new RetryPolicy(
                    retry.MaxAttempts ?? RetryPolicy.Standard.MaxAttempts,
                    TimeSpan.FromSeconds(retry.FirstDelaySeconds ?? RetryPolicy.Standard.FirstDelay.TotalSeconds),
                    TimeSpan.FromSeconds(retry.MaxDelaySeconds ?? RetryPolicy.Standard.MaxDelay.TotalSeconds)
                )
                : RetryPolicy.None,
            Timeout = config.TimeoutSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
            InterruptBefore = config.InterruptBefore ?? false,
            InterruptAfter = config.InterruptAfter ?? false,
            AnswerTerms = AnswerFields.Terms(node.Type, config, out _),
        };

    private NodeBody Body(GraphPart part, NodeDefinition node, NodeConfig config, int index) =>
        node.Type switch
        {
            NodeTypes.Tool => new ToolStep(
                FindTool(config.Tool!),
                Template.Parse(config.Arguments ?? StoredJson.Parse("{}"u8)),
                config.Output
            ),
            NodeTypes.Set => new SetStep([.. config.Assign!.Select(entry => KeyValuePair.Create(entry.Key, Template.Parse(entry.Value)))]),
            NodeTypes.Human => new HumanStep(
                Template.Parse(JsonBytes.Text(config.Question ?? "Please decide.")),
                config.Output!,
                AnswerFields.Terms(node.Type, config, out _),
                AnswerFields.Options(config)
            ),
            NodeTypes.SubGraph => SubGraph(part, config, index, node.Id),
            _ => AgentStepOf(part, node, config),
        };

    private AgentStep AgentStepOf(GraphPart part, NodeDefinition node, NodeConfig config)
    {
        var spec = makeAgent(part, config, node);
        agents.Add(spec);
        var input = config.Input is { } text ? Template.Parse(JsonBytes.Text(text)) : null;
        return new AgentStep(spec, AgentGraph.Build(spec, models, spec.Channels), input, config.Output);
    }

    private SubGraphStep SubGraph(GraphPart part, NodeConfig config, int index, string name) =>
        new(
            Compile(part.Inner(index), name),
            Template.Parse(config.Arguments ?? StoredJson.Parse("{}"u8)),
            [
                .. (config.Assign ?? new Dictionary<string, JsonElement>()).Select(entry =>
                    KeyValuePair.Create(entry.Key, Template.Parse(entry.Value))
                ),
            ]
        );

    private Tool FindTool(string name) => tools.TryGetValue(name, out var tool) ? tool : ToolCatalog.FindBuiltin(name)!;

    private static Edge Compile(EdgeDefinition edge)
    {
        if (edge.ForEach is { } list)
        {
            var items = Expression.Parse(list);
            return new Edge.FanOut(edge.From, edge.To, items.Items, list);
        }
        if (edge.When is null)
        {
            return new Edge.Direct(edge.From, edge.To);
        }
        if (edge.When == Else)
        {
            return new Edge.Otherwise(edge.From, edge.To);
        }
        var condition = Expression.Parse(edge.When);
        return new Edge.When(edge.From, edge.To, condition.Holds, edge.When);
    }
}
