using AgentExecutor.Core.Agents.Output;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelCalls;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// One answer of an agent's model. If the conversation is too long for the model, this is recorded, and the conversation is shortened once
/// before the model is asked again.
/// </summary>
internal sealed class ModelNode(AgentSpec spec, BudgetedCaller caller, Toolbox tools) : NodeBody
{
    private readonly ChatMessage _system = new(ChatRole.System, SystemPrompt.Of(spec));
    private readonly long _prompt = SystemPrompt.Of(spec).Length;

    public override async ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken)
    {
        var messages = context.State.Messages;
        var declarations = await tools.DeclareAsync(context, cancellationToken);
        var request = new ModelRequest(
            new ChatView(_system, messages),
            messages.AiTurns,
            declarations,
            $"ai-{context.TaskId}",
            context.MayHaveBegun
        )
        {
            InputTokens = TokenEstimate.Of(_prompt + TokenEstimate.LengthOf(declarations) + messages.Length),
            ResponseFormat = spec.Output?.ForModel,
            ToolMode = spec.ToolChoice.ModeFor(messages),
            MaySummarize = !Overflow.WasShortened(context.State),
        };
        Message answer;
        try
        {
            answer = await caller.CallAsync(request, context, cancellationToken);
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.ModelContextOverflow && request.MaySummarize)
        {
            context.WriteJson(AgentState.Overflow, Overflow.Detected);
            return;
        }
        if (spec.Output is { } format && answer.ToolCalls.IsEmpty)
        {
            AnswerCheck.Write(format, answer, context);
        }
        else
        {
            context.Write(AgentState.Messages, MessageUpdate.Append(answer));
        }
    }
}
