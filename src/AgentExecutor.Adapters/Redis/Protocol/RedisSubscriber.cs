using AgentExecutor.Adapters.Connections;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Redis.Protocol;

/// <summary>What was published to a channel.</summary>
internal readonly record struct RedisMessage(string Channel, ReadOnlyMemory<byte> Payload);

/// <summary>
/// Subscriptions to channels and patterns, all on one connection, which is made for the first of them. They outlive connections: each is taken up again on the next,
/// and is told so when the server has confirmed it there. Callbacks run on the loop that reads, outside any lock: they must not block or throw, and one that is
/// running while its subscription is given up runs to its end.
/// </summary>
internal sealed class RedisSubscriber : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Subscription> _channels = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Subscription> _patterns = new(StringComparer.Ordinal);
    private readonly RedisKeeper _keeper;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TimeSpan _timeout;
    private RedisLink? _link;
    private volatile bool _isRefused;

    public RedisSubscriber(RedisSettings settings, OutageLog outage, TimeProvider time, ILogger logger)
    {
        (_time, _logger, _timeout) = (time, logger, TimeSpan.FromSeconds(settings.RequestTimeoutSeconds));
        _keeper = new RedisKeeper("subscriptions", settings, Deliver, outage, time, logger);
        _keeper.Up += Attach;
        _keeper.Down += Detach;
    }

    /// <summary>Messages of a channel from now on; returns when the server has confirmed it. Another subscription to the same ends.</summary>
    /// <param name="restored">Called each time that it is taken up again: messages may have been missed. It is called too where this call failed and the subscription came about later.</param>
    /// <exception cref="RedisException">No confirmation in time: it is taken up all the same, once there is a connection. Or the server refuses it.</exception>
    public Task SubscribeAsync(string channel, Action<RedisMessage> receive, Action restored, CancellationToken cancellationToken) =>
        AddAsync(_channels, new Subscription(channel, "SUBSCRIBE", receive, restored), cancellationToken);

    /// <summary>The same for all channels that a pattern fits.</summary>
    /// <exception cref="RedisException">As with a channel.</exception>
    public Task SubscribePatternAsync(string pattern, Action<RedisMessage> receive, Action restored, CancellationToken cancellationToken) =>
        AddAsync(_patterns, new Subscription(pattern, "PSUBSCRIBE", receive, restored), cancellationToken);

    public void Unsubscribe(string channel) => Remove(_channels, channel, "UNSUBSCRIBE");

    public void UnsubscribePattern(string pattern) => Remove(_patterns, pattern, "PUNSUBSCRIBE");

    public async ValueTask DisposeAsync()
    {
        await _keeper.DisposeAsync();
        lock (_gate)
        {
            foreach (var subscription in _channels.Values.Concat(_patterns.Values))
            {
                subscription.Refuse(new RedisException(RedisFault.Closed, "the connection to Redis was closed"));
            }
        }
    }

    private async Task AddAsync(Dictionary<string, Subscription> table, Subscription subscription, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            if (table.TryGetValue(subscription.Name, out var former))
            {
                former.End();
            }
            table[subscription.Name] = subscription;
            Ask(subscription);
        }
        _keeper.Start();
        try
        {
            await subscription.Confirmation.WaitAsync(_timeout, _time, cancellationToken);
        }
        catch (TimeoutException) when (!subscription.GiveUpWaiting())
        {
            // It was confirmed at that very moment.
        }
        catch (TimeoutException)
        {
            throw new RedisException(RedisFault.Timeout, $"the Redis server did not confirm a subscription within {_timeout.TotalSeconds} s");
        }
        catch (OperationCanceledException)
        {
            subscription.GiveUpWaiting();
            throw;
        }
    }

    private void Remove(Dictionary<string, Subscription> table, string name, string verb)
    {
        lock (_gate)
        {
            if (table.Remove(name, out var subscription))
            {
                subscription.End();
                Send(verb, name, new NoReply());
            }
        }
    }

    /// <summary>On a new connection, before anything else is sent over it.</summary>
    private void Attach(RedisLink link)
    {
        lock (_gate)
        {
            _link = link;
            foreach (var subscription in _channels.Values.Concat(_patterns.Values))
            {
                Ask(subscription);
            }
        }
    }

    private void Detach()
    {
        lock (_gate)
        {
            _link = null;
        }
    }

    /// <summary>The messages of a subscription are those behind its own confirmation: earlier ones belong to a former one by the same name.</summary>
    private void Ask(Subscription subscription)
    {
        subscription.IsConfirmed = false;
        Send(subscription.Verb, subscription.Name, new SubscribeReply(this, subscription));
    }

    private void Send(string verb, string name, RespReplies replies)
    {
        try
        {
            _link?.TrySend((verb, name), static (output, it) => RespWriter.Write(output, it.verb, it.name), replies, isUrgent: true);
        }
        catch (RedisException)
        {
            // The link has ended: all that still stands is asked for on the next.
        }
    }

    private void Confirmed(Subscription subscription, RespValue value)
    {
        if (value.IsError)
        {
            subscription.Refuse(new RedisException(RedisFault.ServerError, $"the Redis server says to {subscription.Verb}: {value.Text}"));
            if (!_isRefused)
            {
                Log.SubscriptionRefused(_logger, value.Text); // once, however many it refuses
            }
            _isRefused = true;
            return;
        }
        _isRefused = false;
        subscription.IsConfirmed = true;
        if (!subscription.Confirm() && !subscription.IsOver)
        {
            subscription.Restored();
        }
    }

    private void Deliver(RespValue value)
    {
        switch (value.Items)
        {
            case [var kind, var channel, var payload] when kind.Bytes.Span.SequenceEqual("message"u8):
                Deliver(_channels, channel.Text, new RedisMessage(channel.Text, payload.Bytes));
                break;
            case [var kind, var pattern, var channel, var payload] when kind.Bytes.Span.SequenceEqual("pmessage"u8):
                Deliver(_patterns, pattern.Text, new RedisMessage(channel.Text, payload.Bytes));
                break;
            default:
                break; // some other push of the server's
        }
    }

    private void Deliver(Dictionary<string, Subscription> table, string name, RedisMessage message)
    {
        Subscription? subscription;
        lock (_gate)
        {
            table.TryGetValue(name, out subscription);
        }
        if (subscription is { IsConfirmed: true, IsOver: false })
        {
            subscription.Receive(message);
        }
    }

    private sealed class Subscription(string name, string verb, Action<RedisMessage> receive, Action restored)
    {
        private readonly TaskCompletionSource _confirmation = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private volatile bool _isOver;

        public string Name => name;

        public string Verb => verb;

        public Action<RedisMessage> Receive => receive;

        public Action Restored => restored;

        public Task Confirmation => _confirmation.Task;

        /// <summary>On the present connection.</summary>
        public volatile bool IsConfirmed;

        public bool IsOver => _isOver;

        /// <summary>Whoever waits for its confirmation has nothing more to wait for.</summary>
        public void End()
        {
            _isOver = true;
            _confirmation.TrySetResult();
        }

        /// <summary>False where nobody waits for it any more.</summary>
        public bool Confirm() => _confirmation.TrySetResult();

        /// <summary>False where nobody waits for it any more.</summary>
        public bool Refuse(RedisException fault) => _confirmation.TrySetException(fault);

        /// <summary>False where it was confirmed or refused.</summary>
        public bool GiveUpWaiting() => _confirmation.TrySetCanceled();
    }

    private sealed class SubscribeReply(RedisSubscriber subscriber, Subscription subscription) : RespReplies(1)
    {
        public override void Fail(RedisException fault)
        {
            // The subscription stands: it is asked for again on the next link.
        }

        protected override void Received(RespValue? value) => subscriber.Confirmed(subscription, value!);
    }
}
