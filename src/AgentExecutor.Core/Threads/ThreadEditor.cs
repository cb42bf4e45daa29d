using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Core.Threads;

/// <summary>
/// Forks threads and edits their state. The resulting run is pending, and <see cref="RunExecutor.ResumeAsync"/> continues it.
/// </summary>
public sealed class ThreadEditor(RunServices services, IRunStore runs, RunExecutor executor)
{
    /// <summary>Creates a thread that starts with a copy of another thread up to one of its checkpoints.</summary>
    /// <exception cref="FaultException">There is no such thread or checkpoint, or the new thread already exists.</exception>
    public async Task<Run> ForkAsync(
        string threadId,
        string? checkpointId,
        string toThreadId,
        string runId,
        CancellationToken cancellationToken
    )
    {
        ThreadIds.Check(toThreadId);
        var run = await FindAsync(threadId, cancellationToken);
        var from =
            checkpointId
            ?? (await services.Checkpoints.LoadAsync(threadId, "", null, cancellationToken))?.Checkpoint.Id
            ?? throw new FaultException(FaultCodes.UnknownCheckpoint, $"the thread '{threadId}' has no checkpoint");
        await services.Checkpoints.CopyThreadAsync(threadId, from, toThreadId, cancellationToken);
        var now = services.Time.GetUtcNow();
        var fence = await runs.FindFenceAsync(toThreadId, cancellationToken);
        var forked = run with
        {
            ThreadId = toThreadId,
            RunId = runId,
            Status = RunStatus.Pending,
            Fence = fence,
            Attempt = 0,
            LastSequence = 0,
            Usage = new RunUsage(),
            Failure = null,
            CreatedAt = now,
            UpdatedAt = now,
        };
        await services.Checkpoints.CommitAsync(
            new StepCommit
            {
                ThreadId = toThreadId,
                Fence = fence,
                Run = forked,
            },
            cancellationToken
        );
        return forked;
    }

    /// <summary>
    /// Applies updates to a thread's state. If <paramref name="asNode"/> names a node, they count as its writes, and its successors are
    /// executed next.
    /// </summary>
    /// <param name="values">A JSON object of updates by channel.</param>
    /// <exception cref="FaultException">
    /// There is no such thread, channel or node, or an update does not fit its channel. Nothing was changed.
    /// </exception>
    public async Task<Position> UpdateAsync(
        string threadId,
        JsonElement values,
        string? asNode,
        CheckpointSource source,
        CancellationToken cancellationToken
    )
    {
        values = InputJson.Repaired(values);
        if (InputJson.IsTooDeep(values))
        {
            throw new FaultException(
                FaultCodes.InvalidInput,
                $"the update {InputJson.TooDeep}",
                "use fewer levels of nesting, or pass the JSON as a text"
            );
        }
        var run = await FindAsync(threadId, cancellationToken);
        var agent = await executor.AgentOfAsync(run, cancellationToken);
        if (asNode is not (null or Graph.Start))
        {
            agent.Graph.Require(asNode);
        }
        var loaded =
            await services.Checkpoints.LoadAsync(threadId, "", null, cancellationToken)
            ?? throw new FaultException(
                FaultCodes.UnknownCheckpoint,
                $"the thread '{threadId}' has no checkpoint",
                "start the thread with an input first"
            );
        if (asNode is null && !loaded.Pending.IsEmpty)
        {
            throw new FaultException(
                FaultCodes.ThreadBusy,
                $"the thread '{threadId}' is in the middle of a superstep, and an edit would discard the results of its tasks",
                "answer its interrupts first, or name the node whose write the edit replaces"
            );
        }
        var channels = CheckpointReader.Read(loaded, agent.Graph.Channels).State.Channels;
        var updates = values
            .EnumerateObject()
            .Select(field =>
                KeyValuePair.Create(
                    field.Name,
                    channels[channels.Require(field.Name)].ReadUpdate(field.Value, $"edit-{loaded.Checkpoint.Id}")
                )
            );
        var edited = Requeue.Apply(Editable(run) with { Fence = run.Fence + 1 }, services.Time.GetUtcNow()).Run;
        using var session = new RunSession(edited, services, agent.Limits);
        await new GraphRunner(agent.Graph, GraphScope.Root(session) with { ReadOnlyFiles = agent.SkillFiles }).RunAsync(
            new GraphInput.Edit([.. updates], asNode, source),
            cancellationToken
        );
        var after = await services.Checkpoints.LoadAsync(threadId, "", null, cancellationToken);
        return CheckpointReader.Read(after!, agent.Graph.Channels);
    }

    /// <summary>Returns the run to edit. A finished run is not changed: the edit starts a new run.</summary>
    private Run Editable(Run run) =>
        !run.IsFinished
            ? run
            : run with
            {
                RunId = Guid.CreateVersion7().ToString(),
                Status = RunStatus.Pending,
                Attempt = 0,
                Usage = run.Usage.ForNextRun(),
                Failure = null,
                CreatedAt = services.Time.GetUtcNow(),
            };

    private async Task<Run> FindAsync(string threadId, CancellationToken cancellationToken) =>
        await runs.FindAsync(threadId, cancellationToken)
        ?? throw new FaultException(
            FaultCodes.UnknownThread,
            $"there is no thread '{threadId}'",
            "list the threads with: agent-executor threads"
        );
}
