using AgentExecutor.Core.Events;

namespace AgentExecutor.Core.Runs.Transitions;

/// <summary>A task failed for good, or a limit was passed.</summary>
public static class Fail
{
    public static RunChange Apply(Run run, RunFailure failure, DateTimeOffset now) => new(
        run with { Status = RunStatus.Failed, Failure = failure, UpdatedAt = now },
        [new RunEvent.Failed(failure), new RunEvent.Ended(RunStatus.Failed, run.Usage)]);
}
