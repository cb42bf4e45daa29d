using AgentExecutor.Core.Events;

namespace AgentExecutor.Core.Runs.Transitions;

/// <summary>Someone asked for the run to end. A run that has ended stays as it is.</summary>
public static class Cancel
{
    public static RunChange Apply(Run run, DateTimeOffset now) => run.IsFinished
        ? new RunChange(run, [])
        : new RunChange(run with { Status = RunStatus.Cancelled, UpdatedAt = now }, [new RunEvent.Ended(RunStatus.Cancelled, run.Usage)]);
}
