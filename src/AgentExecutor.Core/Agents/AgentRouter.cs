using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelCalls;

namespace AgentExecutor.Core.Agents;

/// <summary>Determines what an agent does next, based on its conversation alone.</summary>
internal sealed class AgentRouter(AgentSpec spec, Toolbox tools)
{
    private static readonly IReadOnlyList<DueTask> Nothing = [];
    private static readonly IReadOnlyList<DueTask> CallModel = [new DueTask(AgentGraph.Model)];
    private static readonly IReadOnlyList<DueTask> SummarizeFirst = [new DueTask(AgentGraph.Summarize)];
    private static readonly IReadOnlyList<DueTask> RepairFirst = [new DueTask(AgentGraph.Repair)];

    public IReadOnlyList<DueTask> FromStart(StateView state) => DanglingCalls.AnyIn(state.Messages) ? RepairFirst : ToModel(state);

    public IReadOnlyList<DueTask> ToModel(StateView state) => IsTooLong(state.Messages) ? SummarizeFirst : CallModel;

    public IReadOnlyList<DueTask> AfterModel(StateView state) => Overflow.IsDetected(state) ? SummarizeFirst : AfterTurn(state);

    /// <summary>
    /// Determines the next tasks after an answer of the model, or after some of its tool calls: the calls that are still pending, then the
    /// model again. Calls of one turn that change the same thing run one after another; all others run in parallel.
    /// </summary>
    public IReadOnlyList<DueTask> AfterTurn(StateView state)
    {
        var messages = state.Messages;
        var answered = new HashSet<string>(StringComparer.Ordinal);
        for (var i = messages.Count - 1; i >= 0; i--)
        {
            var message = messages[i];
            if (message.Type == MessageType.Tool && message.ToolCallId is { } id)
            {
                answered.Add(id);
                continue;
            }
            if (message.Type != MessageType.Ai)
            {
                break;
            }
            if (message.ToolCalls.IsEmpty)
            {
                return Nothing;
            }
            var due = Due(message, answered);
            return due.Count > 0 ? due : ToModel(state);
        }
        return ToModel(state);
    }

    /// <summary>
    /// Determines the next tasks after tool calls: the calls of the turn that are still pending, then the model. Messages that tools have
    /// added do not matter.
    /// </summary>
    public IReadOnlyList<DueTask> AfterTools(StateView state)
    {
        var messages = state.Messages;
        var answered = new HashSet<string>(StringComparer.Ordinal);
        for (var i = messages.Count - 1; i >= 0; i--)
        {
            var message = messages[i];
            if (!message.ToolCalls.IsEmpty)
            {
                return Due(message, answered) is { Count: > 0 } due ? due : ToModel(state);
            }
            if (message is { Type: MessageType.Tool, ToolCallId: { } id })
            {
                answered.Add(id);
            }
        }
        return ToModel(state);
    }

    private List<DueTask> Due(Message message, HashSet<string> answered)
    {
        var due = new List<DueTask>();
        var changed = new HashSet<string>(StringComparer.Ordinal);
        foreach (var call in message.ToolCalls)
        {
            if (!answered.Contains(call.Id) && (tools.FindOwn(call.Name)?.Changes(call.Arguments) is not { } change || changed.Add(change)))
            {
                due.Add(new DueTask(AgentGraph.Tools, AgentGraph.Argument(call)));
            }
        }
        return due;
    }

    private bool IsTooLong(MessageLog messages) =>
        messages.Count > spec.KeepMessages && TokenEstimate.Of(messages.Length) > spec.Model.ContextTokens * spec.SummarizeAt;
}
