using System.Collections.Concurrent;
using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Core.Sessions;

/// <summary>
/// The tool calls of a run that have side effects. A call is stored before it is made, and its outcome is stored with the next commit.
/// After a crash, a call with a stored outcome is not made again, and a call without one is known to have been started.
/// </summary>
public sealed class RunJournal(RunSession session)
{
    private readonly ConcurrentDictionary<string, StoredToolCall> _known = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<StoredToolCall> _ended = new();

    /// <summary>Returns the journal's entry for the task's call, from this attempt or an earlier one, or null.</summary>
    public async ValueTask<StoredToolCall?> FindAsync(string taskId, CancellationToken cancellationToken)
    {
        if (_known.TryGetValue(taskId, out var known))
        {
            return known;
        }
        return session.Run.Attempt > 1
            ? await session.Services.Checkpoints.FindToolCallAsync(session.ThreadId, taskId, cancellationToken)
            : null;
    }

    /// <summary>Stores that the call is about to be made.</summary>
    public async ValueTask BeginAsync(StoredToolCall call, CancellationToken cancellationToken)
    {
        await session.CommitAsync(
            new StepCommit
            {
                ThreadId = session.ThreadId,
                Fence = 0,
                ToolCalls = [call],
            },
            null,
            null,
            cancellationToken
        );
        _known[call.TaskId] = call;
    }

    /// <summary>Keeps the outcome for the next commit.</summary>
    public void End(StoredToolCall call)
    {
        _known[call.TaskId] = call;
        _ended.Enqueue(call);
    }

    /// <summary>Returns the outcomes that are not stored yet.</summary>
    internal ImmutableArray<StoredToolCall> TakeEnded()
    {
        if (_ended.IsEmpty)
        {
            return [];
        }
        var ended = ImmutableArray.CreateBuilder<StoredToolCall>();
        while (_ended.TryDequeue(out var call))
        {
            ended.Add(call);
        }
        return ended.ToImmutable();
    }

    /// <summary>Returns outcomes whose commit failed.</summary>
    internal void Return(ImmutableArray<StoredToolCall> calls)
    {
        foreach (var call in calls)
        {
            _ended.Enqueue(call);
        }
    }
}
