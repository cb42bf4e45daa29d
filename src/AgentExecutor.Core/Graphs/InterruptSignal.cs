using System.Collections.Immutable;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Graphs;

/// <summary>Unwinds a task that waits for answers. It is not an error, and only the task runner catches it.</summary>
#pragma warning disable CA1032, CA1710 // not an error: it only carries the questions
public sealed class InterruptSignal(ImmutableArray<InterruptRequest> interrupts) : Exception("The task waits for an answer.")
#pragma warning restore CA1032, CA1710
{
    public ImmutableArray<InterruptRequest> Interrupts { get; } = interrupts;
}
