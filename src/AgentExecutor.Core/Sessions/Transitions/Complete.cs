using AgentExecutor.Core.Events;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Sessions.Transitions;

/// <summary>Completes the run, because its graph has no tasks left.</summary>
public static class Complete
{
    public static RunChange Apply(Run run, DateTimeOffset now) =>
        new(
            StatusRule.Unfinished(run) with
            {
                Status = RunStatus.Completed,
                UpdatedAt = now,
            },
            [new RunEvent.Ended(RunStatus.Completed, run.Usage)]
        );
}
