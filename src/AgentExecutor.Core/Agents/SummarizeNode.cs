using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelCalls;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// Replaces all but the newest messages with a summary. The replaced messages remain in earlier checkpoints. A tool call and its results
/// are never separated. If the model does not produce a complete summary, the conversation itself is kept with a large part of its middle
/// left out.
/// </summary>
internal sealed class SummarizeNode(AgentSpec spec, BudgetedCaller caller) : NodeBody
{
    /// <summary>The instruction with which a request for a summary starts.</summary>
    public const string Instruction = """
        Summarise the conversation below for yourself: you will continue from the summary alone. Keep the user's request and constraints,
        decisions and their reasons, the facts and figures that you found, the files that you wrote and what they contain, what is done and
        what remains. Answer with the summary only.
        """;

    /// <summary>How often a transcript that is too long for the model is halved.</summary>
    private const int MaxCuts = 5;

    private readonly ChatMessage _system = new(ChatRole.System, Instruction);

    /// <summary>
    /// The transcript may take at most half of the model's context, because the number of its tokens is only an estimate.
    /// </summary>
    private int MaxTranscriptLength => (int)Math.Min(int.MaxValue, (long)spec.Model.ContextTokens * TokenEstimate.CharactersPerToken / 2);

    public override async ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken)
    {
        var messages = context.State.Messages;
        var isTooLong = Overflow.IsDetected(context.State);
        var cut = isTooLong ? CutToFit(messages) : Cut(messages, messages.Count - spec.KeepMessages);
        var transcript = Transcript.Of(messages.Take(cut));
        var summary = await SummarizeAsync(transcript, messages.AiTurns, context, cancellationToken) is { } text
            ? AgentMessages.Summary(context.TaskId, text)
            : AgentMessages.Excerpt(context.TaskId, Transcript.Fit(transcript, Math.Min(MaxTranscriptLength / 4, transcript.Length / 2)));
        context.Write(AgentState.Messages, MessageUpdate.Replace([summary, .. messages.Skip(cut)]));
        if (isTooLong)
        {
            context.WriteJson(AgentState.Overflow, Overflow.Shortened);
        }
    }

    /// <summary>
    /// Returns null if the model returns nothing or only the beginning of a summary: continuing from that alone would lose important
    /// content.
    /// </summary>
    private async ValueTask<string?> SummarizeAsync(string transcript, int turn, NodeContext context, CancellationToken cancellationToken)
    {
        var maxLength = MaxTranscriptLength;
        for (var cuts = 0; ; cuts++)
        {
            var text = Transcript.Fit(transcript, maxLength);
            var request = new ModelRequest(
                new ChatView(_system, [Message.Human("transcript", text)]),
                turn,
                [],
                MessageId(context, cuts),
                context.MayHaveBegun
            )
            {
                InputTokens = TokenEstimate.Of(Instruction.Length + text.Length),
                MaySummarize = true, // an overflow is handled below by shortening the transcript
            };
            try
            {
                var answer = await caller.CallAsync(request, context, cancellationToken);
                return answer.Text.AsSpan().IsWhiteSpace() || answer.FinishReason == ChatFinishReason.Length.Value ? null : answer.Text;
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.InvalidOutput || EmptyAnswer.Is(fault))
            {
                return null; // the model produced no text, or used up its tokens before any text
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.ModelContextOverflow && cuts < MaxCuts)
            {
                maxLength = text.Length / 2;
            }
        }
    }

    /// <summary>Each shortened transcript is a request of its own and needs an id of its own.</summary>
    private static string MessageId(NodeContext context, int cuts) =>
        cuts == 0 ? $"summary-{context.TaskId}" : $"summary-{context.TaskId}-{cuts}";

    /// <summary>Returns how many messages to summarise. The remaining messages never start with a tool result.</summary>
    private static int Cut(MessageLog messages, int at)
    {
        var cut = Math.Max(1, at);
        while (cut < messages.Count && messages[cut].Type == MessageType.Tool)
        {
            cut++;
        }
        return cut;
    }

    /// <summary>Keeps the newest messages that together make up at most a quarter of the conversation that was too long.</summary>
    private int CutToFit(MessageLog messages)
    {
        var (kept, remaining) = (0, messages.Length / 4);
        while (
            kept < Math.Min(spec.KeepMessages, messages.Count)
            && messages[messages.Count - 1 - kept].Length is var length
            && length <= remaining
        )
        {
            remaining -= length;
            kept++;
        }
        return Cut(messages, messages.Count - kept);
    }
}
