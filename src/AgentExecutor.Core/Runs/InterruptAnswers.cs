using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Execution;

namespace AgentExecutor.Core.Runs;

/// <summary>Holds the answers that someone gave against the questions that are open.</summary>
internal static class InterruptAnswers
{
    /// <param name="wereAsked">The run is interrupted. A question may also be stored beside tasks that a dead worker left: those go on without an answer.</param>
    public static IReadOnlyDictionary<string, JsonElement> Match(
        IReadOnlyDictionary<string, JsonElement> answers, ImmutableArray<InterruptRequest> open, string threadId, bool wereAsked)
    {
        if (open.IsEmpty && answers.Count > 0)
        {
            throw new FaultException(FaultCodes.UnknownInterrupt, $"the thread '{threadId}' waits for no answer", "resume it without one");
        }
        if (wereAsked && !open.IsEmpty && answers.Count == 0)
        {
            throw new FaultException(FaultCodes.InvalidAnswer, $"the thread '{threadId}' waits for {Describe(open)}", "answer at least one of them");
        }
        var given = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var (id, answer) in answers)
        {
            if (!given.TryAdd(IdOf(id, open, threadId), answer))
            {
                throw new FaultException(FaultCodes.InvalidAnswer, "two answers are given for one question", "give one");
            }
        }
        return given;
    }

    private static string IdOf(string id, ImmutableArray<InterruptRequest> open, string threadId)
    {
        if (id.Length == 0 && open.Length == 1)
        {
            return open[0].Id;
        }
        return open.Any(interrupt => interrupt.Id == id) ? id : throw new FaultException(
            FaultCodes.UnknownInterrupt,
            id.Length == 0 ? $"the thread '{threadId}' waits for {Describe(open)}" : $"the thread '{threadId}' has no open question '{id}'",
            $"say which one you answer: {Describe(open)}");
    }

    private static string Describe(ImmutableArray<InterruptRequest> open) =>
        $"{open.Length} answer{(open.Length == 1 ? "" : "s")}: {string.Join(", ", open.Select(interrupt => interrupt.Id))}";
}
