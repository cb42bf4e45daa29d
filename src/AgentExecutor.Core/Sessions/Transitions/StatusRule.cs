using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Sessions.Transitions;

/// <summary>
/// The rule that all transitions and stores enforce: a run that has finished does not run again. The only exception is a failed run, which
/// starts again if a commit acquires its thread.
/// </summary>
public static class StatusRule
{
    /// <param name="from">The status that is stored.</param>
    /// <param name="to">The status that a commit would store.</param>
    /// <param name="acquires">True if the commit acquires the thread, as <see cref="Start"/> does.</param>
    public static bool Allows(RunStatus from, RunStatus to, bool acquires) =>
        from switch
        {
            RunStatus.Completed or RunStatus.Cancelled => to == from,
            RunStatus.Failed => to == from || acquires,
            RunStatus.Pending or RunStatus.Running or RunStatus.Interrupted or RunStatus.Waiting => true,
            _ => throw new ArgumentOutOfRangeException(nameof(from), from, "not a status"),
        };

    /// <summary>Returns the run if it has not finished.</summary>
    /// <exception cref="FaultException">The run has finished (<see cref="FaultCodes.RunFinished"/>).</exception>
    internal static Run Unfinished(Run run) =>
        run.IsFinished
            ? throw new FaultException(
                FaultCodes.RunFinished,
                $"the run '{run.RunId}' of the thread '{run.ThreadId}' is already {run.Status.ToString().ToLowerInvariant()}",
                "start another run on the thread"
            )
            : run;
}
