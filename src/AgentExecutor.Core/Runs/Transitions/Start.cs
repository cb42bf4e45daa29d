namespace AgentExecutor.Core.Runs.Transitions;

/// <summary>A worker takes the run: from pending, or from running where the worker before it died.</summary>
public static class Start
{
    /// <summary>Numbers skipped after a crash, so that what the dead worker showed and never stored is not numbered again.</summary>
    public const long SequenceGap = 1 << 20;

    public static RunChange Apply(Run run, DateTimeOffset now) => run.IsFinished && run.Status != RunStatus.Failed
        ? throw new FaultException(
            FaultCodes.NothingToResume, $"the thread '{run.ThreadId}' is {run.Status.ToString().ToLowerInvariant()}; there is nothing to go on with")
        : new RunChange(run with
        {
            Status = RunStatus.Running,
            Fence = run.Fence + 1,
            Attempt = run.Attempt + 1,
            LastSequence = run.Attempt == 0 ? run.LastSequence : run.LastSequence + SequenceGap,
            Failure = null,
            UpdatedAt = now,
        }, []);
}
