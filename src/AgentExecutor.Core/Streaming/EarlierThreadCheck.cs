using AgentExecutor.Core.Events;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Streaming;

/// <summary>
/// Decides whether a sequence number belongs to an earlier thread with the same id, which was deleted before this one was submitted. A
/// number that is greater than the last stored one can also belong to an event that is not stored yet. The number belongs to an earlier
/// thread if one of the following is true:
/// <list type="number">
/// <item>The run has ended, and all its events have smaller numbers.</item>
/// <item>This process executes the run, and none of its events has such a number.</item>
/// <item>Two more commits were stored, and the run's numbers are still smaller: the second commit was prepared after the first one, and
/// therefore assigned numbers to everything that happened before it.</item>
/// </list>
/// </summary>
internal sealed class EarlierThreadCheck(string threadId, long number, IEventLog log, EventTails tails)
{
    private const int RequiredCommits = 2;

    private long? _lastStored; // the last stored number when the subscriber joined

    /// <summary>True if this process executes the run, or did so until recently.</summary>
    public bool IsHere => tails.Find(threadId) is not null;

    /// <summary>
    /// Returns true if the number belongs to an earlier thread, false if it belongs to this one, and null if this is not decided yet.
    /// </summary>
    /// <exception cref="FaultException">The store is unavailable (<see cref="FaultCodes.StoreUnavailable"/>).</exception>
    public async ValueTask<bool?> DecideAsync(CancellationToken cancellationToken)
    {
        if (
            await log.ReadAsync(threadId, _lastStored ?? number, RequiredCommits, cancellationToken) is not { Position: var position } page
            || position.Last >= number
        )
        {
            return false;
        }
        if (position.Status is RunStatus.Completed or RunStatus.Failed or RunStatus.Cancelled or RunStatus.Interrupted)
        {
            return true;
        }
        if (tails.Find(threadId)?.Read(number) is { } tail && tail.Stored >= position.Last)
        {
            return tail.Last < number;
        }
        _lastStored ??= position.Last;
        return page.Commits.Length >= RequiredCommits ? true : null;
    }
}
