using AgentExecutor.Core.Events;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Sessions.Transitions;

/// <summary>Fails the run, because a task failed permanently or a limit was exceeded.</summary>
public static class Fail
{
    public static RunChange Apply(Run run, RunFailure failure, DateTimeOffset now) =>
        new(
            StatusRule.Unfinished(run) with
            {
                Status = RunStatus.Failed,
                Failure = failure,
                UpdatedAt = now,
            },
            [new RunEvent.Failed(failure), new RunEvent.Ended(RunStatus.Failed, run.Usage)]
        );
}
