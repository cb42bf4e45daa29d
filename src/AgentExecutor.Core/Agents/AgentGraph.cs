using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelCalls;
using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// The graph of an agent:
/// <code>
/// START -> repair? -> summarize? -> model -> tools (one task a call) -> summarize? -> model -> ... -> END
/// </code>
/// Where the model finds the conversation too long: model -> summarize -> model. Where its final answer does not fit the agent's schema: model -> model.
/// Each model call and each tool call is a task of its own, so a crash repeats at most what was in flight.
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
        var caller = new BudgetedCaller(Caller(spec, spec.Model, models), spec.StandIn is { } cheaper ? Caller(spec, cheaper, models) : null);
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
                new Edge.Router(Tools, [Tools, Summarize, Model], router.AfterTurn),
            ],
            Channels(spec, channels));
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

    private static ModelCaller Caller(AgentSpec spec, ModelSpec model, ModelCatalog models) => new(spec with { Model = model }, models);

    private static ValueTask RepairAsync(NodeContext context, CancellationToken cancellationToken)
    {
        context.Write(AgentState.Messages, MessageUpdate.Replace(DanglingCalls.Repair(context.State.Messages)));
        return ValueTask.CompletedTask;
    }

    internal static JsonElement Argument(ToolCall call) => JsonBytes.Element(call, MessageJson.WriteToolCall);
}
