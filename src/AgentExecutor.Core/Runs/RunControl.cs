using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Runs.Transitions;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Core.Runs;

/// <summary>What others may ask of a submitted run, whichever worker has it: to end, to go on with an answer, to begin again.</summary>
public sealed class RunControl(RunServices services, IRunStore runs, IRunQueue queue, RunExecutor executor)
{
    /// <summary>
    /// Cancels the thread's run. Where a worker has it, that one is asked, and breaks off what is in flight; else it is cancelled when the call returns. A run that has
    /// ended stays as it is.
    /// </summary>
    /// <returns>The run as it stands.</returns>
    /// <exception cref="FaultException"><see cref="FaultCodes.UnknownThread"/>.</exception>
    public async Task<Run> CancelAsync(string threadId, CancellationToken cancellationToken)
    {
        while (true)
        {
            var run = await FindAsync(threadId, cancellationToken);
            if (run.IsFinished || await queue.AskToCancelAsync(threadId, cancellationToken))
            {
                return run;
            }
            if (await TryCommitAsync(run, Cancel.Apply, [], null, cancellationToken) is { } cancelled)
            {
                return cancelled;
            }
        }
    }

    /// <summary>Stores the answers to an interrupted run's questions, and has it go on, on whichever worker is free. A failed run goes on at its last checkpoint.</summary>
    /// <param name="answers">By interrupt id; the id <c>""</c> stands for the only open one.</param>
    /// <returns>The run, pending.</returns>
    /// <exception cref="FaultException">There is no such thread, it is not waiting, or the answers fit no question; nothing was changed.</exception>
    public async Task<Run> AnswerAsync(string threadId, IReadOnlyDictionary<string, JsonElement> answers, CancellationToken cancellationToken)
    {
        var run = await FindAsync(threadId, cancellationToken);
        if (run.Status is not (RunStatus.Interrupted or RunStatus.Failed))
        {
            throw new FaultException(
                FaultCodes.NothingToResume, $"the thread '{threadId}' is {run.Status.ToString().ToLowerInvariant()}; there is nothing to answer");
        }
        if (await queue.FindAsync(threadId, run.RunId, cancellationToken) is null)
        {
            throw new FaultException(FaultCodes.NothingToResume, $"the run of the thread '{threadId}' was not submitted", "go on with it by: agent-executor resume");
        }
        var agent = await executor.AgentOfAsync(run, cancellationToken);
        var loaded = await services.Checkpoints.LoadAsync(threadId, "", null, cancellationToken);
        var at = loaded is null ? null : CheckpointReader.Read(loaded, agent.Graph.Channels);
        var open = at is null ? [] : OpenInterrupts.Of(threadId, at, agent.Graph);
        var given = InterruptAnswers.Match(answers, open, threadId, wereAsked: run.Status == RunStatus.Interrupted);
        var writes = at is null ? [] : OpenInterrupts.AnswerWrites(threadId, at, agent.Graph, given);
        return await TryCommitAsync(run, GiveBack.Apply, writes, at?.CheckpointId, cancellationToken)
            ?? throw new FaultException(FaultCodes.ThreadBusy, $"someone else has just gone on with the thread '{threadId}'", "look how it stands");
    }

    /// <summary>Has a failed run go on at its last checkpoint, its crashes forgotten.</summary>
    public Task<Run?> BeginAgainAsync(Run run, CancellationToken cancellationToken) => TryCommitAsync(run, GiveBack.Apply, [], null, cancellationToken);

    /// <summary>Takes the thread for one commit; null where another was faster.</summary>
    private async Task<Run?> TryCommitAsync(
        Run run, Func<Run, DateTimeOffset, RunChange> transition, ImmutableArray<StoredWrite> writes, string? under, CancellationToken cancellationToken)
    {
        using var session = new RunSession(Start.Apply(run, services.Time.GetUtcNow()).Run, services, new RunLimits());
        try
        {
            var commit = new StepCommit { ThreadId = run.ThreadId, Fence = 0, Writes = writes, WritesUnder = under };
            await session.CommitAsync(commit, null, transition, cancellationToken);
            return session.Run;
        }
        catch (FaultException fault) when (fault.Code is FaultCodes.LeaseLost or FaultCodes.ThreadBusy)
        {
            return null;
        }
    }

    private async Task<Run> FindAsync(string threadId, CancellationToken cancellationToken) => await runs.FindAsync(threadId, cancellationToken)
        ?? throw new FaultException(FaultCodes.UnknownThread, $"there is no thread '{threadId}'", "check the id");
}
