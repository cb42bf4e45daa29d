using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelCalls;
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

    /// <summary>How often a transcript that is itself too long is halved.</summary>
    private const int MostCuts = 5;

    private readonly ChatMessage _system = new(ChatRole.System, Instruction);

    /// <summary>What is to be summarised takes at most half of the model's context: what a token is, is a guess.</summary>
    private int LongestTranscript => (int)Math.Min(int.MaxValue, (long)spec.Model.ContextTokens * TokenEstimate.CharactersPerToken / 2);

    public override async ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken)
    {
        var messages = context.State.Messages;
        var isOverflown = Overflow.IsNoted(context.State);
        var cut = isOverflown ? CutToFit(messages) : Cut(messages, messages.Count - spec.KeepMessages);
        var answer = await SummarizeAsync(messages, cut, context, cancellationToken);
        context.Write(AgentState.Messages, MessageUpdate.Replace([AgentMessages.Summary(context.TaskId, answer.Text), .. messages.Skip(cut)]));
        if (isOverflown)
        {
            context.WriteJson(AgentState.Overflow, Overflow.Mended);
        }
    }

    private async ValueTask<Message> SummarizeAsync(MessageLog messages, int cut, NodeContext context, CancellationToken cancellationToken)
    {
        var transcript = Transcript.Of(messages.Take(cut));
        var longest = LongestTranscript;
        for (var cuts = 0; ; cuts++)
        {
            var text = Transcript.Fit(transcript, longest);
            var request = new ModelRequest(
                new ChatView(_system, [Message.Human("transcript", text)]), messages.AiTurns, [], MessageId(context, cuts), context.MayHaveBegun)
            {
                InputTokens = TokenEstimate.Of(Instruction.Length + text.Length),
                MaySummarize = true, // by cutting it
            };
            try
            {
                return await caller.CallAsync(request, context, cancellationToken);
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.ModelContextOverflow && cuts < MostCuts)
            {
                longest = text.Length / 2;
            }
        }
    }

    /// <summary>Each cut is a request of its own.</summary>
    private static string MessageId(NodeContext context, int cuts) => cuts == 0 ? $"summary-{context.TaskId}" : $"summary-{context.TaskId}-{cuts}";

    /// <summary>How many messages to summarise: the kept part begins with no tool result.</summary>
    private static int Cut(MessageLog messages, int at)
    {
        var cut = Math.Max(1, at);
        while (cut < messages.Count && messages[cut].Type == MessageType.Tool)
        {
            cut++;
        }
        return cut;
    }

    /// <summary>Keeps the newest messages that together are a quarter of what was too long.</summary>
    private int CutToFit(MessageLog messages)
    {
        var (kept, room) = (0, messages.Length / 4);
        while (kept < Math.Min(spec.KeepMessages, messages.Count) && messages[messages.Count - 1 - kept].Length is var length && length <= room)
        {
            room -= length;
            kept++;
        }
        return Cut(messages, messages.Count - kept);
    }
}
