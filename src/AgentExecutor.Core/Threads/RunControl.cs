using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Core.Threads;

/// <summary>Cancels, answers and retries submitted runs, whichever worker executes them.</summary>
/// <param name="queue">The run queue. Null if the store has none, in which case no worker can hold a run.</param>
public sealed class RunControl(RunServices services, IRunStore runs, IRunQueue? queue)
{
    /// <summary>Takes answers, and the results of external tools.</summary>
    public RunAnswers Answers { get; } = new(services, runs, queue);

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
            if (await TryCommitAsync(run, Cancel.Apply, cancellationToken) is { } cancelled)
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
            ? await TryCommitAsync(run, Cancel.Apply, cancellationToken)
            : null;

    /// <summary>
    /// Stores the answers to an interrupted run's questions and returns it to the queue, so that any worker can continue it. A failed run
    /// continues from its last checkpoint.
    /// </summary>
    /// <param name="answers">The answers by interrupt id. The id <c>""</c> stands for the only open interrupt.</param>
    /// <returns>The pending run.</returns>
    /// <exception cref="FaultException">
    /// There is no such thread, it does not wait for an answer, an answer belongs to no open interrupt, or the interrupt has another
    /// answer. Nothing was changed.
    /// </exception>
    public Task<Run> AnswerAsync(string threadId, IReadOnlyDictionary<string, JsonElement> answers, CancellationToken cancellationToken) =>
        Answers.AnswerAsync(threadId, answers, cancellationToken);

    /// <summary>Returns a failed run to the queue, so that it continues from its last checkpoint. Its crashes no longer count.</summary>
    public Task<Run?> RetryAsync(Run run, CancellationToken cancellationToken) => TryCommitAsync(run, Requeue.Apply, cancellationToken);

    private Task<Run?> TryCommitAsync(Run run, Func<Run, DateTimeOffset, RunChange> transition, CancellationToken cancellationToken) =>
        ThreadCommit.TryAsync(services, run, transition, new StepCommit { ThreadId = run.ThreadId, Fence = 0 }, cancellationToken);

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
