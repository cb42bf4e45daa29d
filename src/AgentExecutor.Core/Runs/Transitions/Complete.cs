using AgentExecutor.Core.Events;

namespace AgentExecutor.Core.Runs.Transitions;

/// <summary>The graph has no task left.</summary>
public static class Complete
{
    public static RunChange Apply(Run run, DateTimeOffset now) => new(
        run with { Status = RunStatus.Completed, UpdatedAt = now }, [new RunEvent.Ended(RunStatus.Completed, run.Usage)]);
}
