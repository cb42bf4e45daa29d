using AgentExecutor.Core.Events;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Sessions.Transitions;

/// <summary>Ends the run as cancelled. A run that has already ended is not changed.</summary>
public static class Cancel
{
    public static RunChange Apply(Run run, DateTimeOffset now) =>
        run.IsFinished
            ? new RunChange(run, [])
            : new RunChange(
                run with
                {
                    Status = RunStatus.Cancelled,
                    UpdatedAt = now,
                },
                [new RunEvent.Ended(RunStatus.Cancelled, run.Usage)]
            );
}
