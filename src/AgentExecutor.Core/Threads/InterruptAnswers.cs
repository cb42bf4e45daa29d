using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Threads;

/// <summary>Matches the given answers with the open interrupts.</summary>
internal static class InterruptAnswers
{
    /// <param name="wereAsked">
    /// True if the run is interrupted. Interrupts may also be stored beside tasks that a lost worker left unfinished. Those tasks continue
    /// without an answer.
    /// </param>
    public static IReadOnlyDictionary<string, JsonElement> Match(
        IReadOnlyDictionary<string, JsonElement> answers,
        ImmutableArray<InterruptRequest> open,
        string threadId,
        bool wereAsked
    )
    {
        if (open.IsEmpty && answers.Count > 0)
        {
            throw new FaultException(
                FaultCodes.UnknownInterrupt,
                $"the thread '{threadId}' does not wait for an answer",
                "resume it without an answer"
            );
        }
        if (wereAsked && !open.IsEmpty && answers.Count == 0)
        {
            throw new FaultException(
                FaultCodes.InvalidAnswer,
                $"the thread '{threadId}' waits for {Describe(open)}",
                "answer at least one of them"
            );
        }
        var given = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var (id, answer) in answers)
        {
            if (InputJson.IsTooDeep(answer))
            {
                throw new FaultException(
                    FaultCodes.InvalidAnswer,
                    $"the answer {InputJson.TooDeep}",
                    "use fewer levels of nesting, or pass the JSON as a text"
                );
            }
            if (!given.TryAdd(IdOf(id, open, threadId), InputJson.Repaired(answer)))
            {
                throw new FaultException(FaultCodes.InvalidAnswer, "two answers are given for one interrupt", "give only one answer");
            }
        }
        return given;
    }

    /// <summary>Checks the decisions of answers that are given as objects. Other answers are checked by the task that asks.</summary>
    /// <exception cref="FaultException">A question does not allow the decision (<see cref="FaultCodes.InvalidAnswer"/>).</exception>
    public static void CheckDecisions(IReadOnlyDictionary<string, JsonElement> answers, ImmutableArray<InterruptRequest> open)
    {
        foreach (var question in open.Where(it => answers.ContainsKey(it.Id)))
        {
            if (
                answers[question.Id].TextProperty("decision") is "approve" or "edit" or "reject" or "respond"
                && answers[question.Id].TextProperty("decision") is { } decision
                && question.Value.Property("allowed") is { ValueKind: JsonValueKind.Array } allowed
                && !allowed.EnumerateArray().Any(it => it.ValueKind == JsonValueKind.String && it.ValueEquals(decision))
            )
            {
                throw new FaultException(
                    FaultCodes.InvalidAnswer,
                    $"the question '{question.Id}' does not allow the decision '{decision}'",
                    $"use one of {string.Join(", ", allowed.EnumerateArray().Select(JsonBytes.Display))}"
                );
            }
        }
    }

    private static string IdOf(string id, ImmutableArray<InterruptRequest> open, string threadId)
    {
        if (id.Length == 0)
        {
            // A call of a tool waits for a program, unless nothing else is open.
            var questions = open.RemoveAll(static interrupt => interrupt.Terms.IsToolCall);
            open = questions.IsEmpty ? open : questions;
        }
        if (id.Length == 0 && open.Length == 1)
        {
            return open[0].Id;
        }
        return open.Any(interrupt => interrupt.Id == id)
            ? id
            : throw new FaultException(
                FaultCodes.UnknownInterrupt,
                id.Length == 0
                    ? $"the thread '{threadId}' waits for {Describe(open)}"
                    : $"the thread '{threadId}' has no open interrupt '{id}'",
                $"name the interrupt that you answer; the thread waits for {Describe(open)}"
            );
    }

    private static string Describe(ImmutableArray<InterruptRequest> open) =>
        $"{open.Length} answer{(open.Length == 1 ? "" : "s")}: {string.Join(", ", open.Select(interrupt => interrupt.Id))}";
}
