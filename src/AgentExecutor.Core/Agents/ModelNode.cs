using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Messages;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Agents;

/// <summary>One answer of an agent's model.</summary>
internal sealed class ModelNode(AgentSpec spec, BudgetedCaller caller, Toolbox tools) : NodeBody
{
    private readonly ChatMessage _system = new(ChatRole.System, SystemPrompt.Of(spec));

    public override async ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken)
    {
        var messages = context.State.Messages;
        var request = new ModelRequest(new ChatView(_system, messages), messages.AiTurns, tools.Declarations, $"ai-{context.TaskId}", context.MayHaveBegun);
        var answer = await caller.CallAsync(request, context, cancellationToken);
        context.Write(AgentState.Messages, MessageUpdate.Append(answer));
    }
}
