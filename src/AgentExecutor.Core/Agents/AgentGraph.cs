using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelCalls;
using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// Builds the graph of an agent:
/// <code>
/// START -> repair? -> summarize? -> model -> tools (one task per call) -> summarize? -> model -> ... -> END
/// </code>
/// If the model rejects the conversation as too long, the path is model -> summarize -> model. If its final answer does not match the
/// agent's schema, the path is model -> model. Each model call and each tool call is a task of its own, so that a crash repeats at most
/// the calls that were in flight.
/// </summary>
public static class AgentGraph
{
    public const string Model = "model";
    public const string Tools = "tools";
    public const string Summarize = "summarize";
    public const string Repair = "repair";

    public static Graph Build(AgentSpec spec, ModelCatalog models, ImmutableArray<Channel> channels)
    {
        var tools = Toolbox.Of(spec, models);
        var caller = new BudgetedCaller(
            new ModelCaller(spec.Name, spec.Model, models),
            spec.CheaperModel is { } cheaper ? new ModelCaller(spec.Name, cheaper, models) : null
        );
        var router = new AgentRouter(spec, tools);
        return new Graph(
            spec.Name,
            [
                new Node(Repair, new DelegateNode(RepairAsync)) { Kind = "repair" },
                new Node(Summarize, new SummarizeNode(spec, caller)) { Kind = "summarize" },
                new Node(Model, new ModelNode(spec, caller, tools)) { Kind = "model" },
                new Node(Tools, new ToolNode(spec, tools)) { Kind = "tools" },
            ],
            [
                new Edge.Router(Graph.Start, [Repair, Summarize, Model], router.FromStart),
                new Edge.Router(Repair, [Summarize, Model], router.ToModel),
                new Edge.Direct(Summarize, Model),
                new Edge.Router(Model, [Tools, Summarize, Model, Graph.End], router.AfterModel),
                new Edge.Router(Tools, [Tools, Summarize, Model], router.AfterTools),
            ],
            Channels(spec, channels)
        );
    }

    private static ImmutableArray<Channel> Channels(AgentSpec spec, ImmutableArray<Channel> declared)
    {
        var own = declared.Where(channel => !AgentState.Contains(channel.Name)).ToList();
        if (spec.Output is not null && !own.Exists(channel => channel.Name == AgentState.StructuredResponse))
        {
            own.Add(new LastValueChannel(AgentState.StructuredResponse));
        }
        return [.. AgentState.Channels, .. own, new TopicChannel(AgentState.Overflow)];
    }

    private static ValueTask RepairAsync(NodeContext context, CancellationToken cancellationToken)
    {
        context.Write(AgentState.Messages, MessageUpdate.Replace(DanglingCalls.Repair(context.State.Messages)));
        return ValueTask.CompletedTask;
    }

    internal static JsonElement Argument(ToolCall call) => JsonBytes.Element(call, MessageJson.WriteToolCall);
}
