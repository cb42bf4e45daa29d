using System.Collections.Immutable;

namespace AgentExecutor.Core.Messaging;

/// <summary>A bus in this process's memory, for tests and embedding. Its messages do not outlive the process.</summary>
public sealed class InMemoryEventBus(BusSettings settings, TimeProvider time) : IEventBus
{
    private readonly Lock _gate = new();
    private readonly List<Entry> _entries = [];
    private readonly HashSet<(BusStream, string)> _ids = [];
    private readonly WakeSignal _wakeSignal = new();
    private readonly SteadyClock _clock = new(time);
    private long _last;

    public TimeSpan DuplicateWindow => TimeSpan.MaxValue;

    public TimeSpan AckWait { get; } = TimeSpan.FromSeconds(settings.AckWaitSeconds);

    public bool IsConnected => true;

    public int MaxBodyBytes => 256 * 1024 * 1024;

    public ValueTask PublishAsync(ImmutableArray<BusMessage> messages, CancellationToken cancellationToken)
    {
        var streams = messages.Select(message => BusSubjects.StreamOf(message.Subject)).ToList();
        lock (_gate)
        {
            for (var i = 0; i < messages.Length; i++)
            {
                var (message, stream, now) = (messages[i], streams[i], _clock.UtcNow);
                if (message.Id.Length == 0 || _ids.Add((stream, message.Id)))
                {
                    var stored = new StoredMessage(stream, ++_last, now, message.Subject, message.Body)
                    {
                        Id = message.Id,
                        Headers = message.Headers,
                    };
                    _entries.Add(new Entry(stored) { DueAt = now });
                }
            }
        }
        _wakeSignal.Set();
        return ValueTask.CompletedTask;
    }

    public ValueTask<ImmutableArray<IDelivery>> FetchAsync(int atMost, TimeSpan wait, CancellationToken cancellationToken) =>
        FetchAsync(BusStream.Jobs, atMost, wait, cancellationToken);

    public ValueTask<ImmutableArray<IDelivery>> FetchInboxAsync(int atMost, TimeSpan wait, CancellationToken cancellationToken) =>
        FetchAsync(BusStream.Inbox, atMost, wait, cancellationToken);

    public ValueTask OpenInboxAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    private async ValueTask<ImmutableArray<IDelivery>> FetchAsync(
        BusStream stream,
        int atMost,
        TimeSpan wait,
        CancellationToken cancellationToken
    )
    {
        var started = time.GetTimestamp();
        while (true)
        {
            var left = wait - time.GetElapsedTime(started);
            var taken = Take(stream, atMost, out var next);
            if (taken.Length > 0 || left <= TimeSpan.Zero)
            {
                return taken;
            }
            await _wakeSignal.WaitAsync(next < left ? next : left, time, cancellationToken);
        }
    }

    public ValueTask AckAsync(ImmutableArray<IDelivery> deliveries, CancellationToken cancellationToken) => Settle(deliveries, null);

    public ValueTask InProgressAsync(ImmutableArray<IDelivery> deliveries, CancellationToken cancellationToken) =>
        Settle(deliveries, AckWait);

    public ValueTask<ImmutableArray<StoredMessage>> ReadAsync(BusQuery query, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return ValueTask.FromResult<ImmutableArray<StoredMessage>>([
                .. _entries
                    .Select(entry => entry.Message)
                    .Where(it => it.Stream == query.Stream && it.Sequence > query.After && (query.Since is null || it.Time >= query.Since))
                    .Take(query.AtMost)
                    .Select(it => query.HasBodies ? it : it with { Body = default }),
            ]);
        }
    }

    public ValueTask<bool> DeleteAsync(BusStream stream, long sequence, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return ValueTask.FromResult(
                _entries.RemoveAll(entry => entry.Message.Stream == stream && entry.Message.Sequence == sequence) > 0
            );
        }
    }

    public ValueTask DisposeAsync()
    {
        _wakeSignal.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <param name="stream">The stream to take from.</param>
    /// <param name="atMost">The maximum number of messages.</param>
    /// <param name="next">The time until the next undelivered message is due.</param>
    private ImmutableArray<IDelivery> Take(BusStream stream, int atMost, out TimeSpan next)
    {
        lock (_gate)
        {
            var (now, open) = (_clock.UtcNow, _entries.Where(entry => entry.Message.Stream == stream && !entry.IsDone).ToList());
            var taken = open.Where(entry => entry.DueAt <= now).Take(atMost).ToList();
            foreach (var entry in taken)
            {
                (entry.DueAt, entry.Attempts) = (now + AckWait, entry.Attempts + 1);
            }
            next = open.Count > 0 ? open.Min(entry => entry.DueAt) - now : TimeSpan.MaxValue;
            return [.. taken.Select(entry => (IDelivery)new Delivery(this, entry, entry.Attempts))];
        }
    }

    /// <param name="dueIn">When to deliver the jobs again, or null for never.</param>
    private ValueTask Settle(ImmutableArray<IDelivery> deliveries, TimeSpan? dueIn)
    {
        lock (_gate)
        {
            foreach (var (entry, attempt) in deliveries.Cast<Delivery>().Select(static it => (it.Entry, it.Attempt)))
            {
                if (!entry.IsDone && entry.Attempts == attempt)
                {
                    (entry.IsDone, entry.DueAt) = (dueIn is null, _clock.UtcNow + (dueIn ?? default));
                }
            }
        }
        _wakeSignal.Set();
        return ValueTask.CompletedTask;
    }

    private sealed class Entry(StoredMessage message)
    {
        public StoredMessage Message { get; } = message;

        public DateTimeOffset DueAt { get; set; }

        public int Attempts { get; set; }

        public bool IsDone { get; set; }
    }

    private sealed class Delivery(InMemoryEventBus bus, Entry entry, int attempt) : IDelivery
    {
        public Entry Entry => entry;

        public StoredMessage Message => entry.Message;

        public int Attempt => attempt;

        public ValueTask AckAsync(CancellationToken cancellationToken) => bus.Settle([this], null);

        public ValueTask NakAsync(TimeSpan delay, CancellationToken cancellationToken) => bus.Settle([this], delay);

        public ValueTask TermAsync(string reason, CancellationToken cancellationToken) => bus.Settle([this], null);

        public ValueTask InProgressAsync(CancellationToken cancellationToken) => bus.Settle([this], bus.AckWait);
    }
}
