using AgentExecutor.Core.Runs;

namespace AgentExecutor.Server.View;

/// <summary>The phase of a run that has not ended.</summary>
internal static class RunPhase
{
    /// <summary>
    /// <c>queued</c>: the run waits for a worker; <c>running</c>: a worker executes it; <c>waiting</c>: it waits for a person, or for the
    /// result of a tool that is executed elsewhere. Null if it has ended.
    /// </summary>
    public static string? Of(RunStatus status) =>
        status switch
        {
            RunStatus.Pending => "queued",
            RunStatus.Running => "running",
            RunStatus.Interrupted or RunStatus.Waiting => "waiting",
            _ => null,
        };
}
