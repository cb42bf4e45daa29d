namespace AgentExecutor.Core.Runs.Transitions;

/// <summary>The worker stops and leaves the run at its last checkpoint for another.</summary>
public static class GiveBack
{
    public static RunChange Apply(Run run, DateTimeOffset now) => new(run with { Status = RunStatus.Pending, UpdatedAt = now }, []);
}
