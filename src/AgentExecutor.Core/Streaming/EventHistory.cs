using AgentExecutor.Core.Events;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Streaming;

/// <summary>
/// Reads the past events of a thread from the log and from two short-lived sources: the run's tail in this process, and the stream of the
/// transport.
/// <list type="number">
/// <item>The log is complete up to a certain number, <c>covered</c>. Up to there, only logged events count, because events that a dead
/// worker published but never stored are not part of the thread. Chunks are inserted between them if they are still available.</item>
/// <item>Beyond that number are events that were published but are not stored yet. If this process executes the run, its tail has all of
/// them. Otherwise they are returned only up to the first missing number, because the missing event may still be stored.</item>
/// </list>
/// </summary>
internal sealed class EventHistory(EventReplay replay, EventTails tails, IEventTransport? transport, StreamState form, TimeProvider time)
{
    private const int PageCommits = 100;

    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan MaxDelay = TimeSpan.FromMilliseconds(160);

    public IEventLog Log => replay.Log;

    /// <summary>
    /// Creates a check whether a number that is greater than the thread's known numbers belongs to an earlier thread with the same id.
    /// </summary>
    public EarlierThreadCheck CheckForEarlierThread(string threadId, long number) => new(threadId, number, replay.Log, tails);

    /// <summary>
    /// Returns the thread's events after a number, up to the end of one page of its log. Returns null if there is no such thread.
    /// </summary>
    /// <exception cref="FaultException">The store is unavailable (<see cref="FaultCodes.StoreUnavailable"/>).</exception>
    public async ValueTask<EventPage?> ReadAsync(string threadId, long after, CancellationToken cancellationToken)
    {
        if (await replay.Log.ReadAsync(threadId, after, PageCommits, cancellationToken) is not { } page)
        {
            return null;
        }
        var newest = page.Commits.IsEmpty ? after : page.Commits[^1].Last;
        var covered = page.HasMore ? newest : Math.Max(newest, page.Position.Last);
        var kept = await ReadKeptAsync(page, after, page.HasMore ? covered : long.MaxValue, newest, cancellationToken);
        var (logged, isCut) = await replay.ReadAsync(threadId, page, after, kept, cancellationToken);
        var hasMore = page.HasMore || isCut;
        covered = isCut ? logged[^1].Sequence : covered;
        var tail = hasMore ? null : ReadTail(threadId, after, kept);
        var events = Merge(logged, kept.Values.Where(value => !value.IsLogged && value.Sequence <= covered));
        var upTo = Math.Max(covered, after);
        return new EventPage(events, hasMore ? upTo : AppendUnstored(events, kept, upTo, tail), page.Position, hasMore);
    }

    /// <summary>Appends events that are not stored yet, and returns the number of the last one.</summary>
    private static long AppendUnstored(List<StreamEvent> events, SortedDictionary<long, StreamEvent> kept, long upTo, TailEvents? tail)
    {
        if (tail is { } own && own.Stored <= upTo && own.Last > upTo)
        {
            events.AddRange(kept.Values.Where(value => value.Sequence > upTo && value.Sequence <= own.Last));
            return own.Last;
        }
        while (kept.TryGetValue(upTo + 1, out var next))
        {
            events.Add(next);
            upTo++;
        }
        return upTo;
    }

    /// <summary>
    /// Reads the events that the transport keeps. The log can be ahead of the transport by the events that are being batched. If the
    /// transport lacks the newest logged event, it is read again after a short delay, because otherwise the preceding chunks would be
    /// skipped.
    /// </summary>
    private async ValueTask<SortedDictionary<long, StreamEvent>> ReadKeptAsync(
        LogPage page,
        long after,
        long upTo,
        long newest,
        CancellationToken cancellationToken
    )
    {
        var threadId = page.Position.ThreadId;
        var kept = await ReadTransportAsync(threadId, after, upTo, cancellationToken);
        var isExpected =
            transport is { IsConnected: true }
            && newest > after
            && tails.Find(threadId) is null
            && (kept.Count > 0 || page.Position.Status == RunStatus.Running);
        for (var delay = FirstDelay; isExpected && delay <= MaxDelay && !kept.ContainsKey(newest); delay *= 2)
        {
            await Task.Delay(delay, time, cancellationToken);
            kept = await ReadTransportAsync(threadId, after, upTo, cancellationToken);
        }
        return kept;
    }

    private async ValueTask<SortedDictionary<long, StreamEvent>> ReadTransportAsync(
        string threadId,
        long after,
        long upTo,
        CancellationToken cancellationToken
    )
    {
        var kept = new SortedDictionary<long, StreamEvent>();
        if (transport is not { IsConnected: true })
        {
            return kept;
        }
        try
        {
            foreach (var value in await transport.ReadAsync(threadId, after, upTo, cancellationToken))
            {
                if (!kept.TryGetValue(value.Sequence, out var other) || !value.IsSuperseded(other.Attempt))
                {
                    kept[value.Sequence] = value;
                }
            }
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StreamUnavailable)
        {
            // The log has all events except chunks.
        }
        return kept;
    }

    private TailEvents? ReadTail(string threadId, long after, SortedDictionary<long, StreamEvent> kept)
    {
        if (tails.Find(threadId)?.Read(after) is not { } tail)
        {
            return null;
        }
        foreach (var envelope in tail.Events)
        {
            if (!kept.ContainsKey(envelope.Sequence))
            {
                kept.Add(envelope.Sequence, RunEventJson.Encode(envelope, form));
            }
        }
        return tail;
    }

    private static List<StreamEvent> Merge(List<StreamEvent> logged, IEnumerable<StreamEvent> chunks)
    {
        var merged = new List<StreamEvent>(logged.Count);
        var at = 0;
        foreach (var chunk in chunks)
        {
            while (at < logged.Count && logged[at].Sequence < chunk.Sequence)
            {
                merged.Add(logged[at++]);
            }
            merged.Add(chunk);
        }
        merged.AddRange(logged.Skip(at));
        return merged;
    }
}

/// <summary>A page of a thread's events.</summary>
/// <param name="Events">The events, in order.</param>
/// <param name="UpTo">All events up to this number are on this page or an earlier one, except for chunks that are no longer
/// available.</param>
/// <param name="Position">The position of the thread when the page was read.</param>
/// <param name="HasMore">True if the log has further pages.</param>
internal sealed record EventPage(List<StreamEvent> Events, long UpTo, LogPosition Position, bool HasMore)
{
    /// <summary>True if no further events follow unless the run is resumed.</summary>
    public bool IsOver =>
        !HasMore
        && UpTo >= Position.Last
        && Position.Status is RunStatus.Completed or RunStatus.Failed or RunStatus.Cancelled or RunStatus.Interrupted;
}
