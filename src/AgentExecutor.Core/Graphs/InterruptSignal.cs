using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Graphs;

/// <summary>Unwinds a task that waits for answers. It is not an error, and only the task runner catches it.</summary>
#pragma warning disable CA1032, CA1710 // not an error: it only carries the questions
public sealed class InterruptSignal(ImmutableArray<InterruptRequest> interrupts) : Exception("The task waits for an answer.")
#pragma warning restore CA1032, CA1710
{
    public ImmutableArray<InterruptRequest> Interrupts { get; } = interrupts;

    /// <summary>Creates a question. It contains the time only if something happens when nobody answers, or if a tool is called.</summary>
    internal static InterruptRequest Question(string id, JsonElement value, InterruptTerms terms, DateTimeOffset now) =>
        new(id, value)
        {
            Terms = terms,
            AskedAt = terms.IsToolCall || terms.Timeout is not null || !terms.Escalations.IsEmpty ? now : null,
        };
}
