using System.Collections.Immutable;

namespace AgentExecutor.Core.Execution;

/// <summary>Unwinds a task that waits for answers. No fault: the task runner alone catches it.</summary>
#pragma warning disable CA1032, CA1710 // no error: it carries the questions and nothing else
public sealed class InterruptSignal(ImmutableArray<InterruptRequest> interrupts) : Exception("The task waits for an answer.")
#pragma warning restore CA1032, CA1710
{
    public ImmutableArray<InterruptRequest> Interrupts { get; } = interrupts;
}
