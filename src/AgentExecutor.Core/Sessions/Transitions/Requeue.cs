using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Sessions.Transitions;

/// <summary>Returns the run to the queue at its last checkpoint, because its worker shuts down.</summary>
public static class Requeue
{
    public static RunChange Apply(Run run, DateTimeOffset now) =>
        new(StatusRule.Unfinished(run) with { Status = RunStatus.Pending, UpdatedAt = now }, []);
}
