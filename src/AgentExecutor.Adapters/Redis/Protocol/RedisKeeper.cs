using AgentExecutor.Adapters.Connections;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Redis.Protocol;

/// <summary>
/// Keeps one link up, for ever once it was asked for: between two tries it waits longer and longer, never the same for two clients, and where the server will not
/// have us always longest, for a password may be changed on either side.
/// </summary>
/// <param name="purpose">What the link is for, as the log says it.</param>
/// <param name="message">Takes the messages of channels; null where nothing is subscribed to.</param>
internal sealed class RedisKeeper(string purpose, RedisSettings settings, Action<RespValue>? message, OutageLog outage, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(2);

    private readonly RedisOpener _opener = new(settings, time);
    private readonly LinkWatch _watch = new(time, TimeSpan.FromSeconds(settings.RequestTimeoutSeconds), TimeSpan.FromSeconds(settings.PingSeconds));
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _gate = new();
    private TaskCompletionSource<RedisLink> _outcome = NewOutcome();
    private Task? _loop;
    private bool _isRefused;
    private volatile RedisLink? _current;

    /// <summary>A link was made. Raised before anybody else can use it; handlers must not block or throw.</summary>
    public event Action<RedisLink>? Up;

    /// <summary>The link was lost; the next one is being made.</summary>
    public event Action? Down;

    public RedisLink? Current => _current;

    /// <summary>Begins, where it has not yet.</summary>
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

    /// <summary>The link that is up, or else what the present try brings.</summary>
    /// <exception cref="RedisException">It failed; the next one follows by itself.</exception>
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

    /// <summary>The link that is up, or the one that comes within the time that an answer may take.</summary>
    /// <exception cref="RedisException">None came.</exception>
    public async ValueTask<RedisLink> LinkInTimeAsync(CancellationToken cancellationToken)
    {
        try
        {
            return _current ?? await LinkAsync(cancellationToken).WaitAsync(_watch.Patience, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new RedisException(RedisFault.Unreachable, $"no connection to Redis at {_opener.Endpoint} within {_watch.Patience.TotalSeconds} s");
        }
        catch (RedisException fault)
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
            for (var wait = FirstWait; ;)
            {
                wait = await ServeOnceAsync(wait);
                await Task.Delay(wait * (0.5 + (Random.Shared.NextDouble() / 2)), time, _stopping.Token);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The end was asked for.
        }
    }

    /// <summary>One link, from the try to its end; returns how long to wait before the next.</summary>
    private async Task<TimeSpan> ServeOnceAsync(TimeSpan wait)
    {
        try
        {
            var greeting = await _opener.OpenAsync(_stopping.Token);
            var since = time.GetTimestamp();
            await using var link = new RedisLink(greeting, _watch, message, _stopping.Token);
            Rise(link, greeting);
            Lost(await link.Completion);
            return time.GetElapsedTime(since) > LongestWait ? FirstWait : Longer(wait); // one that takes us and drops us at once is not hammered
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // A fault of ours too is told and tried again: callers must not wait for a loop that is gone.
            var fault = exception as RedisException ?? new RedisException(RedisFault.Disconnected, $"the connection to Redis failed: {exception.Message}", exception);
            Tell(fault);
            lock (_gate)
            {
                _current = null;
                Fail(fault);
            }
            return fault.IsTransient ? Longer(wait) : LongestWait;
        }
    }

    private void Rise(RedisLink link, RedisGreeting greeting)
    {
        _isRefused = false;
        Log.Connected(logger, _opener.Endpoint.ToString(), purpose, greeting.Protocol, greeting.Version);
        outage.Succeeded(this);
        Up?.Invoke(link);
        lock (_gate)
        {
            _current = link;
            _outcome.TrySetResult(link);
        }
    }

    private void Lost(RedisException fault)
    {
        lock (_gate)
        {
            (_current, _outcome) = (null, NewOutcome());
        }
        if (!_stopping.IsCancellationRequested)
        {
            outage.Failed(this, fault.Message);
            Down?.Invoke();
        }
    }

    /// <summary>What somebody has to mend is said even where the outage began as another; both are said once.</summary>
    private void Tell(RedisException fault)
    {
        if (fault.IsTransient)
        {
            outage.Failed(this, fault.Message);
        }
        else if (!_isRefused)
        {
            Log.Unusable(logger, purpose, fault.Message);
        }
        _isRefused = !fault.IsTransient;
    }

    /// <summary>Those who wait hear of it, and who comes later waits for the next try. Under the lock.</summary>
    private void Fail(RedisException fault)
    {
        _outcome.TrySetException(fault);
        _ = _outcome.Task.Exception; // seen, also where nobody waits
        _outcome = NewOutcome();
    }

    private static RedisException Closed() => new(RedisFault.Closed, "the connection to Redis was closed");

    private static TimeSpan Longer(TimeSpan wait) => wait * 2 < LongestWait ? wait * 2 : LongestWait;

    private static TaskCompletionSource<RedisLink> NewOutcome() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
