using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Core.Threads;

/// <summary>Cancels, answers and retries submitted runs, whichever worker executes them.</summary>
/// <param name="queue">The run queue. Null if the store has none, in which case no worker can hold a run.</param>
public sealed class RunControl(RunServices services, IRunStore runs, IRunQueue? queue)
{
    /// <summary>
    /// Cancels the thread's run. If a worker executes it, a request is stored, and the worker cancels the work in progress. Otherwise the
    /// run is cancelled when the call returns. A run that has ended is not changed. If another run of the thread starts in the meantime, it
    /// is not cancelled.
    /// </summary>
    /// <returns>The current state of the run.</returns>
    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.UnknownThread"/>: there is no such thread. <see cref="FaultCodes.ThreadBusy"/>: another run of the thread has
    /// started, and it is not known how this one ended.
    /// </exception>
    public async Task<Run> CancelAsync(string threadId, CancellationToken cancellationToken)
    {
        var run = await FindAsync(threadId, cancellationToken);
        while (true)
        {
            if (run.IsFinished || (queue is not null && await queue.RequestCancelAsync(threadId, run.RunId, cancellationToken)))
            {
                return run;
            }
            if (await TryCommitAsync(run, Cancel.Apply, [], null, cancellationToken) is { } cancelled)
            {
                return cancelled;
            }
            run = await FindAgainAsync(run, cancellationToken);
        }
    }

    /// <summary>
    /// Cancels a run whose worker was lost before it handled a request to cancel. Does nothing if a worker executes the run again.
    /// </summary>
    /// <returns>The cancelled run, or null if another process was faster.</returns>
    public async Task<Run?> CancelLostAsync(RescuedRun lost, CancellationToken cancellationToken) =>
        await runs.FindAsync(lost.ThreadId, cancellationToken) is { Status: RunStatus.Running } run && run.RunId == lost.RunId
            ? await TryCommitAsync(run, Cancel.Apply, [], null, cancellationToken)
            : null;

    /// <summary>
    /// Stores the answers to an interrupted run's questions and returns it to the queue, so that any worker can continue it. A failed run
    /// continues from its last checkpoint.
    /// </summary>
    /// <param name="answers">The answers by interrupt id. The id <c>""</c> stands for the only open interrupt.</param>
    /// <returns>The pending run.</returns>
    /// <exception cref="FaultException">
    /// There is no such thread, it does not wait for an answer, or an answer belongs to no open interrupt. Nothing was changed.
    /// </exception>
    public async Task<Run> AnswerAsync(
        string threadId,
        IReadOnlyDictionary<string, JsonElement> answers,
        CancellationToken cancellationToken
    )
    {
        var run = await FindAsync(threadId, cancellationToken);
        if (run.Status is not (RunStatus.Interrupted or RunStatus.Failed))
        {
            throw new FaultException(
                FaultCodes.NothingToResume,
                $"the thread '{threadId}' is {run.Status.ToString().ToLowerInvariant()} and does not wait for an answer"
            );
        }
        if (queue is null || await queue.FindAsync(threadId, run.RunId, cancellationToken) is null)
        {
            throw new FaultException(
                FaultCodes.NothingToResume,
                $"the run of the thread '{threadId}' was not submitted to the queue",
                "resume it with: agent-executor resume"
            );
        }
        var at = await new ThreadReader(services.Checkpoints, runs).FindAsync(run, "", null, cancellationToken);
        var open = at is null ? [] : OpenInterrupts.Of(at);
        var given = InterruptAnswers.Match(answers, open, threadId, wereAsked: run.Status == RunStatus.Interrupted);
        var writes = at is null ? [] : OpenInterrupts.AnswerWrites(at, given);
        return await TryCommitAsync(run, Requeue.Apply, writes, at?.CheckpointId, cancellationToken)
            ?? throw new FaultException(
                FaultCodes.ThreadBusy,
                $"another caller has just resumed the thread '{threadId}'",
                "read the state of the thread"
            );
    }

    /// <summary>Returns a failed run to the queue, so that it continues from its last checkpoint. Its crashes no longer count.</summary>
    public Task<Run?> RetryAsync(Run run, CancellationToken cancellationToken) =>
        TryCommitAsync(run, Requeue.Apply, [], null, cancellationToken);

    /// <summary>
    /// Acquires the thread for one commit, and returns null if another caller was faster. The lease belongs to this call only: a store
    /// allows the holder of the last commit to repeat it, and another caller in this process that has read the same run must not be taken
    /// for such a repetition.
    /// </summary>
    private async Task<Run?> TryCommitAsync(
        Run run,
        Func<Run, DateTimeOffset, RunChange> transition,
        ImmutableArray<StoredWrite> writes,
        string? under,
        CancellationToken cancellationToken
    )
    {
        var holder = services with { Lease = services.Lease is { } lease ? Lease.New(lease.Length) : null };
        using var session = new RunSession(Start.Apply(run, holder.Time.GetUtcNow()).Run, holder, new RunLimits());
        try
        {
            var commit = new StepCommit
            {
                ThreadId = run.ThreadId,
                Fence = 0,
                Writes = writes,
                WritesUnder = under,
            };
            await session.CommitAsync(commit, null, transition, cancellationToken);
            return session.Run;
        }
        catch (FaultException fault) when (fault.Code is FaultCodes.LeaseLost or FaultCodes.ThreadBusy)
        {
            return null;
        }
    }

    /// <summary>
    /// Returns the current state of the run. A run that is no longer the thread's newest can only be returned if it has finished.
    /// </summary>
    private async Task<Run> FindAgainAsync(Run run, CancellationToken cancellationToken)
    {
        var newest = await FindAsync(run.ThreadId, cancellationToken);
        if (newest.RunId == run.RunId)
        {
            return newest;
        }
        return queue is not null && await queue.FindAsync(run.ThreadId, run.RunId, cancellationToken) is { IsFinished: true } finished
            ? finished
            : throw new FaultException(
                FaultCodes.ThreadBusy,
                $"another run of the thread '{run.ThreadId}' has started, so its run '{run.RunId}' cannot be cancelled",
                "read the state of the thread; cancel again to cancel the new run"
            );
    }

    private async Task<Run> FindAsync(string threadId, CancellationToken cancellationToken) =>
        await runs.FindAsync(threadId, cancellationToken)
        ?? throw new FaultException(FaultCodes.UnknownThread, $"there is no thread '{threadId}'", "check the thread id");
}
