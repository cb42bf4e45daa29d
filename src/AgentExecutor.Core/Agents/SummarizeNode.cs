using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelCalls;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// Puts a summary in the place of all but the newest messages. What it replaces stays in the earlier checkpoints. A tool call
/// and its results are never parted. Where no whole summary comes, the conversation itself takes its place, much of its middle left out.
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
        var transcript = Transcript.Of(messages.Take(cut));
        var summary = await SummarizeAsync(transcript, messages.AiTurns, context, cancellationToken) is { } text
            ? AgentMessages.Summary(context.TaskId, text)
            : AgentMessages.Excerpt(context.TaskId, Transcript.Fit(transcript, Math.Min(LongestTranscript / 4, transcript.Length / 2)));
        context.Write(AgentState.Messages, MessageUpdate.Replace([summary, .. messages.Skip(cut)]));
        if (isOverflown)
        {
            context.WriteJson(AgentState.Overflow, Overflow.Mended);
        }
    }

    /// <summary>Null where the model says nothing, or no more than a beginning: to go on from that alone would lose what matters.</summary>
    private async ValueTask<string?> SummarizeAsync(string transcript, int turn, NodeContext context, CancellationToken cancellationToken)
    {
        var longest = LongestTranscript;
        for (var cuts = 0; ; cuts++)
        {
            var text = Transcript.Fit(transcript, longest);
            var request = new ModelRequest(
                new ChatView(_system, [Message.Human("transcript", text)]), turn, [], MessageId(context, cuts), context.MayHaveBegun)
            {
                InputTokens = TokenEstimate.Of(Instruction.Length + text.Length),
                MaySummarize = true, // by cutting it
            };
            try
            {
                var answer = await caller.CallAsync(request, context, cancellationToken);
                return answer.Text.AsSpan().IsWhiteSpace() || answer.FinishReason == ChatFinishReason.Length.Value ? null : answer.Text;
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.InvalidOutput)
            {
                return null; // it used all its tokens before it said anything
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
