using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Sessions.Transitions;

/// <summary>Starts an attempt: a worker claims a pending run, or a running one whose previous worker was lost.</summary>
public static class Start
{
    /// <summary>
    /// The sequence numbers that are skipped after a crash, so that events which the lost worker published but never stored keep their
    /// numbers.
    /// </summary>
    public const long SequenceGap = 1 << 20;

    public static RunChange Apply(Run run, DateTimeOffset now) =>
        !StatusRule.Allows(run.Status, RunStatus.Running, acquires: true)
            ? throw new FaultException(
                FaultCodes.NothingToResume,
                $"the thread '{run.ThreadId}' is {run.Status.ToString().ToLowerInvariant()}; there is nothing to resume"
            )
            : new RunChange(
                run with
                {
                    Status = RunStatus.Running,
                    Fence = run.Fence + 1,
                    Attempt = run.Attempt + 1,
                    LastSequence = run.Attempt == 0 ? run.LastSequence : run.LastSequence + SequenceGap,
                    Failure = null,
                    UpdatedAt = now,
                },
                []
            );
}
