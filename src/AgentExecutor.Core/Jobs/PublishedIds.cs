using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Core.Jobs;

/// <summary>
/// Finds out which messages are already in a stream. After an outage this is asked for many batches, so the ids are kept until no message
/// is in doubt any more.
/// </summary>
internal sealed class PublishedIds(IEventBus bus, BusStream stream)
{
    private const int Page = 1_000;

    /// <summary>By how much the clock of the bus may be behind the store's.</summary>
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(5);

    private readonly HashSet<string> _ids = new(StringComparer.Ordinal);
    private DateTimeOffset _since = DateTimeOffset.MaxValue;
    private long _last;

    /// <summary>
    /// Returns at least the ids of all messages that were published since the earliest of these times, at which the messages in doubt were
    /// stored. Empty if there are none.
    /// </summary>
    public async ValueTask<IReadOnlySet<string>> FindAsync(List<DateTimeOffset> doubtful, CancellationToken cancellationToken)
    {
        if (doubtful.Count == 0)
        {
            Forget();
            return _ids;
        }
        var since = doubtful.Min() - Skew;
        if (since < _since)
        {
            Forget();
            _since = since;
        }
        var count = Page;
        while (count == Page)
        {
            var page = await bus.ReadAsync(new BusQuery(stream, Page, _last, _since, HasBodies: false), cancellationToken);
            _ids.UnionWith(page.Select(message => message.Id));
            _last = page.IsEmpty ? _last : page[^1].Sequence;
            count = page.Length;
        }
        return _ids;
    }

    private void Forget()
    {
        _ids.Clear();
        (_since, _last) = (DateTimeOffset.MaxValue, 0);
    }
}
