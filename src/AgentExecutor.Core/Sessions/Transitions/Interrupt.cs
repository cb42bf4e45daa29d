using System.Collections.Immutable;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Sessions.Transitions;

/// <summary>Interrupts the run: every task that could run has run, and the others wait for a person.</summary>
public static class Interrupt
{
    public static RunChange Apply(Run run, ImmutableArray<InterruptRequest> interrupts, DateTimeOffset now) =>
        new(
            StatusRule.Unfinished(run) with
            {
                Status = RunStatus.Interrupted,
                UpdatedAt = now,
            },
            [new RunEvent.Interrupted(interrupts), new RunEvent.Ended(RunStatus.Interrupted, run.Usage)]
        );
}
