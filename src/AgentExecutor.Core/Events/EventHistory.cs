using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Events;

/// <summary>
/// Reads what a thread has told so far, from the log and from what lives shorter: the run's tail in this process, the transport's stream.
/// <list type="number">
/// <item>The log is complete up to a number, <c>covered</c>. Below it the logged events are the truth: what a dead worker told and never stored is not among them.
/// Chunks are put between them where they are still kept.</item>
/// <item>Above it stands what was told and is not stored yet. Where the run is here its tail has all of that. Else it is passed on only as far as its numbers
/// leave no gap: what is missing may be an event that will be stored.</item>
/// </list>
/// </summary>
internal sealed class EventHistory(EventReplay replay, EventTails tails, IEventTransport? transport, StreamState form, TimeProvider time)
{
    private const int PageCommits = 100;

    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(160);

    public IEventLog Log => replay.Log;

    /// <summary>The thread's events after a number, as far as one page of its log goes; null where there is no such thread.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>.</exception>
    public async ValueTask<Stretch?> ReadAsync(string threadId, long after, CancellationToken cancellationToken)
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
        return new Stretch(events, hasMore ? upTo : GoOn(events, kept, upTo, tail), page.Position, hasMore);
    }

    /// <summary>Adds what was told and is not stored yet, and returns how far that goes.</summary>
    private static long GoOn(List<StreamEvent> events, SortedDictionary<long, StreamEvent> kept, long upTo, TailEvents? tail)
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
    /// What the transport keeps. The log may be ahead of it by what is being gathered: where it has not yet the newest that the log has, it is given a moment, or the chunks
    /// before that would be passed over.
    /// </summary>
    private async ValueTask<SortedDictionary<long, StreamEvent>> ReadKeptAsync(LogPage page, long after, long upTo, long newest, CancellationToken cancellationToken)
    {
        var threadId = page.Position.ThreadId;
        var kept = await ReadTransportAsync(threadId, after, upTo, cancellationToken);
        var isExpected = transport is { IsConnected: true } && newest > after && (kept.Count > 0 || page.Position.Status == RunStatus.Running) && tails.Find(threadId) is null;
        for (var wait = FirstWait; isExpected && wait <= LongestWait && !kept.ContainsKey(newest); wait *= 2)
        {
            await Task.Delay(wait, time, cancellationToken);
            kept = await ReadTransportAsync(threadId, after, upTo, cancellationToken);
        }
        return kept;
    }

    private async ValueTask<SortedDictionary<long, StreamEvent>> ReadTransportAsync(string threadId, long after, long upTo, CancellationToken cancellationToken)
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
                kept[value.Sequence] = value;
            }
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StreamUnavailable)
        {
            // the log has all but chunks
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

/// <summary>A stretch of a thread's events.</summary>
/// <param name="Events">In order.</param>
/// <param name="UpTo">Every event up to this number is among them, or lies before, or is a chunk that is no longer kept.</param>
/// <param name="Position">How the thread stood.</param>
/// <param name="HasMore">The log goes on.</param>
internal sealed record Stretch(List<StreamEvent> Events, long UpTo, LogPosition Position, bool HasMore)
{
    /// <summary>Nothing follows unless someone has the run go on.</summary>
    public bool IsOver => !HasMore && UpTo >= Position.Last && Position.Status is RunStatus.Completed or RunStatus.Failed or RunStatus.Cancelled or RunStatus.Interrupted;
}
