using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Expressions;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Steps;

/// <summary>
/// An agent as a step of a workflow, in a namespace of its own. The agent receives the step's input, or else the workflow's messages. Its
/// answer is written to the output channel, as JSON if the agent has an output schema, or appended to the workflow's messages if there is
/// no output channel.
/// </summary>
internal sealed class AgentStep(AgentSpec spec, Graph agent, Template? input, string? output) : NodeBody
{
    public override async ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken)
    {
        var messages = input is null
            ? MessageUpdate.Append(context.State.Messages)
            : MessageUpdate.Append(Message.Human($"human-{context.TaskId}", JsonBytes.Display(input.Fill(context.State))));
        var state = await context.RunSubgraphAsync(
            agent,
            [KeyValuePair.Create(AgentState.Messages, (object)messages), .. SharedChannels.Input(spec, context.State.State)],
            cancellationToken
        );
        SharedChannels.MergeBack(spec, state, context);
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
            context.WriteJson(
                output,
                state[AgentState.StructuredResponse] is JsonElement structured ? structured : JsonBytes.Text(answer.Text)
            );
        }
    }
}
