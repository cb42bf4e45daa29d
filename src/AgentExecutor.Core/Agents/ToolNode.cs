using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Agents;

/// <summary>Makes one tool call: checks it, obtains approval if required, and returns the result to the model.</summary>
internal sealed class ToolNode(AgentSpec spec, Toolbox tools) : NodeBody
{
    public override async ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken)
    {
        var call =
            MessageJson.ReadToolCall(context.Argument)
            ?? throw new FaultException(FaultCodes.StoreCorrupt, "a tool call that is due has no id or no name");
        var (decided, rejection) = Approve(call, context);
        var tool = rejection is null ? await tools.FindAsync(call.Name, context, cancellationToken) : tools.FindOwn(call.Name);
        var result = rejection ?? await CallAsync(tool, decided, context, cancellationToken);
        var content = tool is { LimitsItsResults: false }
            ? LargeResults.Offload(decided, result.Content, spec.MaxToolResultLength, context)
            : result.Content;
        if (!ReferenceEquals(call, decided))
        {
            // The note is for the model, and documents the change in the conversation.
            content += $"\n(A person changed the arguments to {JsonBytes.Compact(decided.Arguments)} before the call.)";
        }
        context.Write(AgentState.Messages, MessageUpdate.Append(Message.Tool($"tool-{context.TaskId}", decided, content, result.IsError)));
        // The updates follow the answer to the call, because they can contain messages.
        ToolUpdates.Write(result, context);
    }

    /// <summary>Asks a person if the policy requires it, and again if the answer is not a valid decision.</summary>
    private (ToolCall Call, ToolResult? Rejection) Approve(ToolCall call, NodeContext context)
    {
        if (PolicyOf(call) is not { } policy)
        {
            return (call, default(ToolResult?));
        }
        if (tools.FindOwn(call.Name) is { AsksItself: true })
        {
            return (call, default(ToolResult?)); // the policy contains the terms of its question
        }
        // An earlier version of the program has asked under the key 0.
        var key = context.HasAnswer("0") ? "0" : ApprovalPolicy.KeyOf(call);
        string? note = null;
        for (var round = 0; ; round++)
        {
            var answer = context.Interrupt(policy.Question(call, note), round == 0 ? key : $"{key}-{round}", policy.Terms);
            if (policy.Read(call, answer, out note) is { } decision)
            {
                return decision.Kind switch
                {
                    ApprovalPolicy.Edit => (call with { Arguments = decision.Arguments!.Value }, default(ToolResult?)),
                    ApprovalPolicy.Respond => (call, new ToolResult(JsonBytes.Display(decision.Value!.Value))),
                    ApprovalPolicy.Reject => (
                        call,
                        ToolResult.Error(
                            decision.Message is { Length: > 0 } why
                                ? $"A person rejected this call: {why}"
                                : "A person rejected this call. Do not repeat it; find another way or ask."
                        )
                    ),
                    _ => (call, default(ToolResult?)),
                };
            }
        }
    }

    /// <summary>Returns the policy of the tool, or that of the group to which it belongs, or null.</summary>
    private ApprovalPolicy? PolicyOf(ToolCall call) =>
        spec.InterruptOn.GetValueOrDefault(call.Name) ?? spec.InterruptOn.GetValueOrDefault(tools.DefinedName(call.Name));

    private ToolContext ContextOf(ToolCall call, NodeContext context) =>
        new(context, call, spec.Name) { Terms = PolicyOf(call) is { } policy ? policy.Terms : InterruptTerms.None };

    private async ValueTask<ToolResult> CallAsync(Tool? tool, ToolCall call, NodeContext context, CancellationToken cancellationToken)
    {
        if (tool is not null)
        {
            return await ToolCaller.CallAsync(tool, ContextOf(call, context), cancellationToken);
        }
        var names = await tools.NamesAsync(context, cancellationToken);
        return ToolResult.Error($"Error: there is no tool '{call.Name}'. Your tools are {string.Join(", ", names)}.");
    }
}
