using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Core.Threads;

/// <summary>Acquires a thread that no worker holds, for one commit.</summary>
internal static class ThreadCommit
{
    /// <summary>
    /// Commits the step with a transition of the run, and returns null if another caller was faster. The lease belongs to this call only:
    /// a store allows the holder of the last commit to repeat it, and another caller in this process that has read the same run must not be
    /// taken for such a repetition.
    /// </summary>
    public static async Task<Run?> TryAsync(
        RunServices services,
        Run run,
        Func<Run, DateTimeOffset, RunChange> transition,
        StepCommit commit,
        CancellationToken cancellationToken
    )
    {
        var holder = services with { Lease = services.Lease is { } lease ? Lease.New(lease.Length) : null };
        using var session = new RunSession(Start.Apply(run, holder.Time.GetUtcNow()).Run, holder, new RunLimits());
        try
        {
            await session.CommitAsync(commit, null, transition, cancellationToken);
            return session.Run;
        }
        catch (FaultException fault) when (fault.Code is FaultCodes.LeaseLost or FaultCodes.ThreadBusy)
        {
            return null;
        }
    }
}
