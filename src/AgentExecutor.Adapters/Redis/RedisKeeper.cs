using AgentExecutor.Adapters.Connections;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Redis;

/// <summary>
/// Keeps one link connected after its first use. The delay between two attempts increases and is random, so that many clients do not
/// reconnect at the same time. While the server rejects the credentials, the delay is the longest one. The attempts continue, because the
/// password may be corrected on either side.
/// </summary>
/// <param name="purpose">What the link is used for, for the log.</param>
/// <param name="settings">The settings of the server.</param>
/// <param name="isDelivered">Returns true if all received messages were passed on. Null for a link without subscriptions.</param>
/// <param name="outage">Logs outages.</param>
/// <param name="time">The source of time.</param>
/// <param name="logger">The logger.</param>
internal sealed class RedisKeeper(
    string purpose,
    RedisSettings settings,
    Func<bool>? isDelivered,
    OutageLog outage,
    TimeProvider time,
    ILogger logger
) : IAsyncDisposable
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(2);

    private readonly RedisOpener _opener = new(settings, isDelivered, time);

    private readonly SilenceLimits _limits = new(
        TimeSpan.FromSeconds(settings.RequestTimeoutSeconds),
        TimeSpan.FromSeconds(settings.PingSeconds)
    );

    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _gate = new();
    private TaskCompletionSource<RedisLink> _outcome = NewOutcome();
    private Task? _loop;
    private bool _isRejected;
    private volatile RedisLink? _current;

    /// <summary>Raised when a link is connected, before any caller can use it. Handlers must not block or throw.</summary>
    public event Action<RedisLink>? Connected;

    /// <summary>Raised when the link was lost. The next one is already being connected.</summary>
    public event Action? Disconnected;

    public RedisLink? Current => _current;

    /// <summary>Starts to connect, unless that was done before.</summary>
    public void Start()
    {
        lock (_gate)
        {
            if (!_stopping.IsCancellationRequested)
            {
                _loop ??= KeepAsync();
            }
        }
    }

    /// <summary>Returns the current link, or waits for the current attempt to connect.</summary>
    /// <exception cref="RedisFaultException">The attempt failed. Another one follows.</exception>
    public Task<RedisLink> LinkAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_stopping.IsCancellationRequested)
            {
                return Task.FromException<RedisLink>(Closed());
            }
            Start();
            return _outcome.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Returns the current link, or one that is connected within the time that a reply may take.</summary>
    /// <exception cref="RedisFaultException">There was none in time.</exception>
    public async ValueTask<RedisLink> LinkInTimeAsync(CancellationToken cancellationToken)
    {
        try
        {
            return _current ?? await LinkAsync(cancellationToken).WaitAsync(_limits.Reply, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new RedisFaultException(
                RedisFault.Unreachable,
                $"no connection to Redis at {_opener.Endpoint} within {_limits.Reply.TotalSeconds} s"
            );
        }
        catch (RedisFaultException fault)
        {
            throw fault.Again();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        Task? loop;
        lock (_gate)
        {
            loop = _loop;
        }
        await (loop ?? Task.CompletedTask);
        lock (_gate)
        {
            Fail(Closed());
        }
    }

    private async Task KeepAsync()
    {
        await Task.Yield();
        try
        {
            var delay = FirstDelay;
            while (true)
            {
                delay = await ConnectOnceAsync(delay);
                await Task.Delay(delay * (0.5 + (Random.Shared.NextDouble() / 2)), time, _stopping.Token);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    /// <summary>Connects one link and waits for its end.</summary>
    /// <returns>The delay before the next attempt.</returns>
    private async Task<TimeSpan> ConnectOnceAsync(TimeSpan delay)
    {
        try
        {
            var opened = await _opener.OpenAsync(_stopping.Token);
            var since = time.GetTimestamp();
            await using var link = new RedisLink(opened, _limits, time, _stopping.Token);
            Attach(link, opened);
            Detach(await link.Completion);
            // The server may close each connection at once, so the delay is only reset after a connection that lasted.
            return time.GetElapsedTime(since) > LongestDelay ? FirstDelay : Longer(delay);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // The loop also continues after an unexpected exception, because callers would wait forever for a loop that has ended.
            var fault =
                exception as RedisFaultException
                ?? new RedisFaultException(RedisFault.Disconnected, $"the connection to Redis failed: {exception.Message}", exception);
            Report(fault);
            lock (_gate)
            {
                _current = null;
                Fail(fault);
            }
            return fault.IsTransient ? Longer(delay) : LongestDelay;
        }
    }

    private void Attach(RedisLink link, OpenedRedis opened)
    {
        _isRejected = false;
        Log.Connected(logger, _opener.Endpoint.ToString(), purpose, opened.Protocol, opened.Version);
        outage.Succeeded(this);
        Connected?.Invoke(link);
        lock (_gate)
        {
            _current = link;
            _outcome.TrySetResult(link);
        }
    }

    private void Detach(RedisFaultException fault)
    {
        lock (_gate)
        {
            (_current, _outcome) = (null, NewOutcome());
        }
        if (!_stopping.IsCancellationRequested)
        {
            outage.Failed(this, fault.Message);
            Disconnected?.Invoke();
        }
    }

    /// <summary>A fault that needs a change of the configuration is logged once, even if an outage was logged before.</summary>
    private void Report(RedisFaultException fault)
    {
        if (fault.IsTransient)
        {
            outage.Failed(this, fault.Message);
        }
        else if (!_isRejected)
        {
            Log.Unusable(logger, purpose, fault.Message);
        }
        _isRejected = !fault.IsTransient;
    }

    /// <summary>Fails the callers that wait now. Later callers wait for the next attempt. Must be called with the lock held.</summary>
    private void Fail(RedisFaultException fault)
    {
        _outcome.TrySetException(fault);
        // Marks the exception as observed, in case no caller waits.
        _ = _outcome.Task.Exception;
        _outcome = NewOutcome();
    }

    private static RedisFaultException Closed() => new(RedisFault.Closed, "the connection to Redis was closed");

    private static TimeSpan Longer(TimeSpan delay) => delay * 2 < LongestDelay ? delay * 2 : LongestDelay;

    private static TaskCompletionSource<RedisLink> NewOutcome() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
