using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Graphs.Expressions;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Execution.Nodes;

/// <summary>
/// An agent as a step of a workflow, in a namespace of its own. It gets the step's input, or the workflow's messages; its answer goes to
/// the output channel, as JSON where it has a schema, or to the workflow's messages.
/// </summary>
internal sealed class AgentStep(Graph agent, Template? input, string? output) : NodeBody
{
    public override async ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken)
    {
        var messages = input is null
            ? MessageUpdate.Append(context.State.Messages)
            : MessageUpdate.Append(Message.Human($"human-{context.TaskId}", JsonBytes.Display(input.Fill(context.State))));
        var state = await context.RunSubgraphAsync(agent, [KeyValuePair.Create(AgentState.Messages, (object)messages)], cancellationToken);
        if (state.Get<MessageLog>(AgentState.Messages)?.LastOf(MessageType.Ai) is not { } answer)
        {
            return;
        }
        if (output is null)
        {
            context.Write(AgentState.Messages, MessageUpdate.Append(answer));
        }
        else
        {
            context.WriteJson(output, state[AgentState.StructuredResponse] is JsonElement structured ? structured : JsonBytes.Text(answer.Text));
        }
    }
}
