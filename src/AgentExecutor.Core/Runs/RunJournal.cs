using System.Collections.Concurrent;
using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Core.Runs;

/// <summary>
/// The tool calls of a run that do something to the world: stored before they are made, and their outcomes with whatever is committed next.
/// So after a crash a call whose outcome is stored is not made again, and one without is known to have been begun.
/// </summary>
public sealed class RunJournal(RunSession session)
{
    private readonly ConcurrentDictionary<string, StoredToolCall> _known = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<StoredToolCall> _ended = new();

    /// <summary>What is known of the task's call from before: of this attempt, or of an earlier one.</summary>
    public async ValueTask<StoredToolCall?> FindAsync(string taskId, CancellationToken cancellationToken)
    {
        if (_known.TryGetValue(taskId, out var known))
        {
            return known;
        }
        return session.Run.Attempt > 1 ? await session.Services.Checkpoints.FindToolCallAsync(session.ThreadId, taskId, cancellationToken) : null;
    }

    /// <summary>Stores that the call is about to be made.</summary>
    public async ValueTask BeginAsync(StoredToolCall call, CancellationToken cancellationToken)
    {
        await session.CommitAsync(new StepCommit { ThreadId = session.ThreadId, Fence = 0, ToolCalls = [call] }, null, null, cancellationToken);
        _known[call.TaskId] = call;
    }

    /// <summary>Keeps the outcome for the next commit.</summary>
    public void End(StoredToolCall call)
    {
        _known[call.TaskId] = call;
        _ended.Enqueue(call);
    }

    /// <summary>The outcomes that are not stored yet.</summary>
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

    /// <summary>Puts outcomes back whose commit failed.</summary>
    internal void Return(ImmutableArray<StoredToolCall> calls)
    {
        foreach (var call in calls)
        {
            _ended.Enqueue(call);
        }
    }
}
