using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Runs.Transitions;

namespace AgentExecutor.Core.Runs;

/// <summary>Forks threads and changes their state by hand. What it makes is pending, for <see cref="RunExecutor.ResumeAsync"/> to go on with.</summary>
public sealed class ThreadEditor(RunServices services, IRunStore runs, RunExecutor executor)
{
    /// <summary>Makes a new thread that begins with a copy of another up to one of its checkpoints.</summary>
    /// <exception cref="FaultException">There is no such thread or checkpoint, or the new thread exists.</exception>
    public async Task<Run> ForkAsync(string threadId, string? checkpointId, string toThreadId, string runId, CancellationToken cancellationToken)
    {
        ThreadIds.Check(toThreadId);
        var run = await FindAsync(threadId, cancellationToken);
        var from = checkpointId ?? (await services.Checkpoints.LoadAsync(threadId, "", null, cancellationToken))?.Checkpoint.Id
            ?? throw new FaultException(FaultCodes.UnknownCheckpoint, $"the thread '{threadId}' has no checkpoint");
        await services.Checkpoints.CopyThreadAsync(threadId, from, toThreadId, cancellationToken);
        var now = services.Time.GetUtcNow();
        var forked = run with
        {
            ThreadId = toThreadId,
            RunId = runId,
            Status = RunStatus.Pending,
            Fence = 0,
            Attempt = 0,
            LastSequence = 0,
            Usage = new RunUsage(),
            Failure = null,
            CreatedAt = now,
            UpdatedAt = now,
        };
        await services.Checkpoints.CommitAsync(new StepCommit { ThreadId = toThreadId, Fence = 0, Run = forked }, cancellationToken);
        return forked;
    }

    /// <summary>Writes updates to a thread's state, as if a node had made them where <paramref name="asNode"/> names one: what follows it is then due.</summary>
    /// <param name="values">A JSON object of updates by channel.</param>
    /// <exception cref="FaultException">There is no such thread, channel or node, or an update does not fit its channel; nothing was changed.</exception>
    public async Task<Position> UpdateAsync(string threadId, JsonElement values, string? asNode, CheckpointSource source, CancellationToken cancellationToken)
    {
        var run = await FindAsync(threadId, cancellationToken);
        var agent = await executor.AgentOfAsync(run, cancellationToken);
        if (asNode is not (null or Graph.Start))
        {
            agent.Graph.Require(asNode);
        }
        var loaded = await services.Checkpoints.LoadAsync(threadId, "", null, cancellationToken)
            ?? throw new FaultException(FaultCodes.UnknownCheckpoint, $"the thread '{threadId}' has no checkpoint", "start it with an input");
        if (asNode is null && !loaded.Pending.IsEmpty)
        {
            throw new FaultException(
                FaultCodes.ThreadBusy, $"the thread '{threadId}' is in the middle of a superstep, and an edit would undo what its tasks have done",
                "answer its questions first, or say as which node you edit");
        }
        var channels = CheckpointReader.Read(loaded, agent.Graph.Channels).State.Channels;
        var updates = values.EnumerateObject().Select(field => KeyValuePair.Create(
            field.Name, channels[channels.Require(field.Name)].ReadUpdate(field.Value, $"edit-{loaded.Checkpoint.Id}")));
        using var session = new RunSession(GiveBack.Apply(run with { Fence = run.Fence + 1 }, services.Time.GetUtcNow()).Run, services, agent.Limits);
        await new GraphRunner(agent.Graph, GraphScope.Root(session)).RunAsync(new GraphInput.Edit([.. updates], asNode, source), cancellationToken);
        var after = await services.Checkpoints.LoadAsync(threadId, "", null, cancellationToken);
        return CheckpointReader.Read(after!, agent.Graph.Channels);
    }

    private async Task<Run> FindAsync(string threadId, CancellationToken cancellationToken) => await runs.FindAsync(threadId, cancellationToken)
        ?? throw new FaultException(FaultCodes.UnknownThread, $"there is no thread '{threadId}'", "list them with 'agent-executor threads'");
}
