using System.Text;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// Puts a summary in the place of all but the newest messages. What it replaces stays in the earlier checkpoints. A tool call
/// and its results are never parted.
/// </summary>
internal sealed class SummarizeNode(AgentSpec spec, BudgetedCaller caller) : NodeBody
{
    /// <summary>What the request for a summary begins with.</summary>
    public const string Instruction =
        """
        Summarise the conversation below for yourself: you will go on from the summary alone. Keep the user's request and constraints, decisions and their
        reasons, facts and figures found, files written and what they hold, what is done and what remains. Answer with the summary only.
        """;

    private readonly ChatMessage _system = new(ChatRole.System, Instruction);

    public override async ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken)
    {
        var messages = context.State.Messages;
        var cut = Cut(messages);
        var transcript = Message.Human("transcript", Transcript(messages.Take(cut)));
        var request = new ModelRequest(new ChatView(_system, [transcript]), messages.AiTurns, [], $"summary-{context.TaskId}", context.MayHaveBegun);
        var answer = await caller.CallAsync(request, context, cancellationToken);
        var summary = Message.Human($"summary-{context.TaskId}", $"Here is a summary of the conversation so far:\n\n{answer.Text}");
        context.Write(AgentState.Messages, MessageUpdate.Replace([summary, .. messages.Skip(cut)]));
    }

    /// <summary>How many messages to summarise: the kept part begins with no tool result.</summary>
    private int Cut(MessageLog messages)
    {
        var cut = Math.Max(1, messages.Count - spec.KeepMessages);
        while (cut < messages.Count && messages[cut].Type == MessageType.Tool)
        {
            cut++;
        }
        return cut;
    }

    private static string Transcript(IEnumerable<Message> messages)
    {
        var text = new StringBuilder();
        foreach (var message in messages)
        {
            text.Append(MessageJson.NameOf(message.Type)).Append(": ").Append(message.Text).Append('\n');
            foreach (var call in message.ToolCalls)
            {
                text.Append("  calls ").Append(call.Name).Append(' ').Append(JsonBytes.Compact(call.Arguments)).Append('\n');
            }
        }
        return text.ToString();
    }
}
