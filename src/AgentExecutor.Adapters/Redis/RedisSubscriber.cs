using AgentExecutor.Adapters.Connections;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AgentExecutor.Adapters.Redis;

/// <summary>
/// Subscribes to channels and patterns on a link of its own, which is connected for the first subscription. After the link was lost, all
/// subscriptions are made again on the next one, and their owners are notified when the server has confirmed them. The callbacks must not
/// block or throw. A callback that is running when its subscription ends is not interrupted.
/// </summary>
internal sealed class RedisSubscriber : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<RedisChannel, RedisSubscription> _subscriptions = [];
    private readonly RedisKeeper _keeper;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TimeSpan _timeout;
    private RedisLink? _link;
    private volatile bool _isRejected;

    public RedisSubscriber(RedisSettings settings, OutageLog outage, TimeProvider time, ILogger logger)
    {
        (_time, _logger, _timeout) = (time, logger, TimeSpan.FromSeconds(settings.RequestTimeoutSeconds));
        _keeper = new RedisKeeper("subscriptions", settings, IsDelivered, outage, time, logger);
        _keeper.Connected += Attach;
        _keeper.Disconnected += Detach;
    }

    /// <summary>
    /// Subscribes to a channel or a pattern, and returns when the server has confirmed it. It replaces an earlier subscription to the same.
    /// </summary>
    /// <param name="receive">Called for each message, in the order in which the server sends them.</param>
    /// <param name="restored">
    /// Called each time that the server confirms the subscription again: messages may have been missed. Also called if this method failed
    /// and the subscription was made later.
    /// </param>
    /// <exception cref="RedisFaultException">
    /// The server did not confirm it in time; it is still made when there is a connection. Or the server rejected it.
    /// </exception>
    public async Task SubscribeAsync(
        RedisChannel channel,
        Action<ChannelMessage> receive,
        Action restored,
        CancellationToken cancellationToken
    )
    {
        cancellationToken.ThrowIfCancellationRequested();
        var subscription = new RedisSubscription(channel, receive, restored);
        lock (_gate)
        {
            Remove(channel);
            _subscriptions[channel] = subscription;
            Request(subscription);
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
            throw new RedisFaultException(
                RedisFault.Timeout,
                $"the Redis server did not confirm a subscription within {_timeout.TotalSeconds} s"
            );
        }
        catch (OperationCanceledException)
        {
            subscription.GiveUpWaiting();
            throw;
        }
    }

    public void Unsubscribe(RedisChannel channel)
    {
        lock (_gate)
        {
            Remove(channel);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _keeper.DisposeAsync();
        List<RedisSubscription> subscriptions;
        lock (_gate)
        {
            subscriptions = [.. _subscriptions.Values];
        }
        foreach (var subscription in subscriptions)
        {
            subscription.Reject(new RedisFaultException(RedisFault.Closed, "the connection to Redis was closed"));
            await subscription.Request;
        }
    }

    /// <summary>Returns true if the queues of the library are empty. It is called once for every few megabytes that are received.</summary>
    private bool IsDelivered()
    {
        lock (_gate)
        {
            return _subscriptions.Values.All(static subscription => subscription.IsDelivered);
        }
    }

    /// <summary>Must be called with the lock held.</summary>
    private void Remove(RedisChannel channel)
    {
        if (_subscriptions.Remove(channel, out var subscription))
        {
            subscription.End();
            try
            {
                _link?.Subscriber.UnsubscribeAsync(channel, handler: null, CommandFlags.FireAndForget);
            }
            catch (Exception exception) when (exception is RedisConnectionException or ObjectDisposedException)
            {
                // The link has ended, and its subscriptions with it.
            }
        }
    }

    private void Attach(RedisLink link)
    {
        lock (_gate)
        {
            _link = link;
            foreach (var subscription in _subscriptions.Values)
            {
                Request(subscription);
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

    /// <summary>Must be called with the lock held, so that requests for one channel are sent in their order.</summary>
    private void Request(RedisSubscription subscription)
    {
        if (_link is { } link)
        {
            subscription.Request = RequestAsync(link, subscription);
        }
    }

    private async Task RequestAsync(RedisLink link, RedisSubscription subscription)
    {
        try
        {
            subscription.Confirm(await link.Subscriber.SubscribeAsync(subscription.Channel));
            _isRejected = false;
        }
        catch (RedisServerException exception)
        {
            subscription.Reject(link.FaultOf(exception));
            if (!_isRejected)
            {
                // Is logged once, regardless of how many subscriptions are rejected.
                Log.SubscriptionRejected(_logger, exception.Message);
            }
            _isRejected = true;
        }
        catch (Exception exception) when (exception is RedisException or ObjectDisposedException or OperationCanceledException)
        {
            // The link has ended. The subscription is requested again on the next one.
        }
    }
}
