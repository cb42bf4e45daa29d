using System.Collections.Immutable;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Expressions;
using AgentExecutor.Core.Graphs;

namespace AgentExecutor.Core.Steps;

/// <summary>
/// Runs a graph as a step, in a namespace and with a state of its own. The graph starts with the arguments, and the assignments read its
/// final state.
/// </summary>
internal sealed class SubGraphStep(Graph graph, Template arguments, ImmutableArray<KeyValuePair<string, Template>> assignments) : NodeBody
{
    public Graph Graph { get; } = graph;

    public override async ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken)
    {
        var given = arguments.Fill(context.State);
        var channels = Graph.Channels.With(given.EnumerateObject().Select(field => field.Name));
        var input = given
            .EnumerateObject()
            .Select(field =>
                KeyValuePair.Create(field.Name, channels[channels.Require(field.Name)].ReadUpdate(field.Value, context.TaskId))
            );
        var end = new StateView(await context.RunSubgraphAsync(Graph, [.. input], cancellationToken), context.Argument);
        foreach (var (channel, template) in assignments)
        {
            context.WriteJson(channel, template.Fill(end));
        }
    }
}
