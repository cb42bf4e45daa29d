using StackExchange.Redis;

namespace AgentExecutor.Adapters.Redis;

/// <summary>A subscription to a channel or a pattern, which is made again on each new link.</summary>
internal sealed class RedisSubscription(RedisChannel channel, Action<ChannelMessage> receive, Action restored)
{
    private readonly TaskCompletionSource _confirmation = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile ChannelMessageQueue? _queue;
    private volatile bool _isOver;

    public RedisChannel Channel => channel;

    /// <summary>Completes when the server has confirmed the subscription for the first time, or when it has ended.</summary>
    public Task Confirmation => _confirmation.Task;

    /// <summary>The request to the server on the current link. It never fails.</summary>
    public Task Request { get; set; } = Task.CompletedTask;

    public bool IsDelivered => _queue is not { } queue || !queue.TryGetCount(out var count) || count == 0;

    /// <summary>Records that the server has confirmed the subscription. The library puts its messages into this queue.</summary>
    public void Confirm(ChannelMessageQueue queue)
    {
        _queue = queue;
        if (!_confirmation.TrySetResult() && !_isOver)
        {
            restored();
        }
        queue.OnMessage(message =>
        {
            // Remaining messages of an earlier link must not follow newer messages.
            if (!_isOver && _queue == queue)
            {
                receive(message);
            }
        });
    }

    public void Reject(RedisFaultException fault)
    {
        _confirmation.TrySetException(fault);
        // Marks the exception as observed, in case no caller waits.
        _ = _confirmation.Task.Exception;
    }

    /// <summary>Ends the subscription. It passes on no more messages, and a caller that waits for the confirmation stops waiting.</summary>
    public void End()
    {
        _isOver = true;
        _confirmation.TrySetResult();
    }

    /// <summary>Cancels the wait for the confirmation. Returns false if the subscription was confirmed or rejected before.</summary>
    public bool GiveUpWaiting() => _confirmation.TrySetCanceled();
}
