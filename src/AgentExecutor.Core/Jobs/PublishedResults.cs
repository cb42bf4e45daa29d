using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Core.Jobs;

/// <summary>
/// Which results are in their stream already. After an outage many are asked for, a batch at a time: what was read is kept until nothing is in doubt any more.
/// </summary>
internal sealed class PublishedResults(IEventBus bus)
{
    private const int Page = 1_000;

    /// <summary>The bus's clock may be behind the store's by so much.</summary>
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(5);

    private readonly HashSet<string> _ids = new(StringComparer.Ordinal);
    private DateTimeOffset _since = DateTimeOffset.MaxValue;
    private long _last;

    /// <summary>The ids of all results since these came to be, or more; empty where there are none in doubt.</summary>
    public async ValueTask<IReadOnlySet<string>> FindAsync(List<Outcome> doubtful, CancellationToken cancellationToken)
    {
        if (doubtful.Count == 0)
        {
            Forget();
            return _ids;
        }
        var since = doubtful.Min(outcome => outcome.CreatedAt) - Skew;
        if (since < _since)
        {
            Forget();
            _since = since;
        }
        for (var count = Page; count == Page;)
        {
            var page = await bus.ReadAsync(new BusQuery(BusStream.Results, Page, _last, _since, HasBodies: false), cancellationToken);
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
