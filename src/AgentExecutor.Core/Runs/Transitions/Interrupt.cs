using System.Collections.Immutable;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Execution;

namespace AgentExecutor.Core.Runs.Transitions;

/// <summary>Every task that could run has run, and some wait for a person.</summary>
public static class Interrupt
{
    public static RunChange Apply(Run run, ImmutableArray<InterruptRequest> interrupts, DateTimeOffset now) => new(
        run with { Status = RunStatus.Interrupted, UpdatedAt = now },
        [new RunEvent.Interrupted(interrupts), new RunEvent.Ended(RunStatus.Interrupted, run.Usage)]);
}
