using System.Collections.Immutable;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Sessions.Transitions;

/// <summary>
/// Interrupts the run: every task that could run has run, and the others wait for a person, or for the result of a tool that is executed
/// elsewhere. If no person is asked, the run is waiting, and its watchers go on watching.
/// </summary>
public static class Interrupt
{
    public static RunChange Apply(Run run, ImmutableArray<InterruptRequest> interrupts, DateTimeOffset now)
    {
        var questions = interrupts.RemoveAll(static interrupt => interrupt.Terms.IsToolCall);
        var status = questions.IsEmpty && !interrupts.IsEmpty ? RunStatus.Waiting : RunStatus.Interrupted;
        return new RunChange(
            StatusRule.Unfinished(run) with
            {
                Status = status,
                UpdatedAt = now,
            },
            status == RunStatus.Waiting ? [] : [new RunEvent.Interrupted(questions), new RunEvent.Ended(RunStatus.Interrupted, run.Usage)]
        );
    }
}
