using StackExchange.Redis;

namespace AgentExecutor.Adapters.Redis;

/// <summary>How long a server may be silent.</summary>
/// <param name="Reply">After this time without a reply to a request, the server is considered dead.</param>
/// <param name="Ping">After this time without activity, a PING is sent.</param>
internal sealed record SilenceLimits(TimeSpan Reply, TimeSpan Ping);

/// <summary>
/// A connected multiplexer, until it loses a connection. Then <see cref="Completion"/> contains the reason, and commands in flight fail. A
/// link is not repaired but replaced by a new one. Therefore subscriptions are confirmed again before the new link counts as restored, and
/// a link to a server that hangs ends after one timeout.
/// </summary>
internal sealed class RedisLink : IAsyncDisposable
{
    private const int Ticks = 8;
    private const int NewLinkFactor = 5;

    private readonly OpenedRedis _redis;
    private readonly SilenceLimits _limits;
    private readonly TimeProvider _time;
    private readonly long _since;
    private readonly CancellationTokenSource _ending = new();

    private readonly TaskCompletionSource<RedisFaultException> _fault = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public RedisLink(OpenedRedis redis, SilenceLimits limits, TimeProvider time, CancellationToken lifetime)
    {
        (_redis, _limits, _time, _since) = (redis, limits, time, time.GetTimestamp());
        Database = redis.Multiplexer.GetDatabase();
        Subscriber = redis.Multiplexer.GetSubscriber();
        redis.Multiplexer.ConnectionFailed += (_, failure) => End(FaultOf(failure));
        Completion = RunAsync(lifetime);
    }

    public IDatabase Database { get; }

    public ISubscriber Subscriber { get; }

    /// <summary>Completes when the link has ended, with the reason. It never fails.</summary>
    public Task<RedisFaultException> Completion { get; }

    /// <summary>Translates the exception of a call into a fault.</summary>
    public RedisFaultException FaultOf(Exception exception)
    {
        EndIfReplica(exception.Message);
        return exception switch
        {
            RedisServerException or RedisCommandException => new RedisFaultException(
                RedisFault.ServerError,
                $"the Redis server replied with an error: {exception.Message}"
            ),
            _ when _fault.Task.IsCompletedSuccessfully => _fault.Task.Result.Again(),
            _ => new RedisFaultException(RedisFault.Disconnected, $"the connection to Redis was lost: {exception.Message}", exception),
        };
    }

    /// <summary>
    /// Ends the link if the server has become a replica, which rejects all writes. After a failover the host name may resolve to another
    /// server. A new link is kept, because the host name apparently still resolves to the replica, so reconnecting would not help.
    /// </summary>
    public void EndIfReplica(string error)
    {
        if (error.StartsWith("READONLY", StringComparison.Ordinal) && _time.GetElapsedTime(_since) > _limits.Reply * NewLinkFactor)
        {
            End(new RedisFaultException(RedisFault.Disconnected, $"the Redis server became a replica: {error}"));
        }
    }

    public async ValueTask DisposeAsync()
    {
        End(Closed());
        await Completion;
        _ending.Dispose();
    }

    private static RedisFaultException Closed() => new(RedisFault.Closed, "the connection to Redis was closed");

    private static RedisFaultException FaultOf(ConnectionFailedEventArgs failure)
    {
        var reason =
            failure.FailureType == ConnectionFailureType.SocketClosed
                ? "the Redis server closed the connection"
                : $"the connection to Redis was lost: {failure.Exception?.Message ?? failure.FailureType.ToString()}";
        return new RedisFaultException(RedisFault.Disconnected, reason, failure.Exception);
    }

    private void End(RedisFaultException fault) => _fault.TrySetResult(fault);

    private async Task<RedisFaultException> RunAsync(CancellationToken lifetime)
    {
        using var closing = lifetime.Register(() => End(Closed()));
        var watching = WatchAsync();
        await Task.WhenAny(_fault.Task, _redis.Tunnel.Failure.Task, watching);
        End(_redis.Tunnel.Failure.Task.IsCompletedSuccessfully ? _redis.Tunnel.Failure.Task.Result : Closed());
        await _ending.CancelAsync();
        await watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _redis.CloseAsync();
        return await _fault.Task;
    }

    private async Task WatchAsync()
    {
        var period = _limits.Reply / Ticks;
        using var timer = new PeriodicTimer(period, _time);
        var silences = new Dictionary<WatchedStream, Silence>();
        while (await timer.WaitForNextTickAsync(_ending.Token))
        {
            var counters = _redis.Multiplexer.GetCounters();
            foreach (var stream in _redis.Tunnel.Streams)
            {
                var commands = stream.Type == ConnectionType.Subscription ? counters.Subscription : counters.Interactive;
                var hasRequests = commands.TotalOutstanding > 0;
                var silence = silences[stream] = silences.GetValueOrDefault(stream).Next(stream.Activity, hasRequests);
                if (silence.WithRequests >= Ticks)
                {
                    End(
                        new RedisFaultException(
                            RedisFault.Disconnected,
                            $"the Redis server has not answered for {_limits.Reply.TotalSeconds} s"
                        )
                    );
                }
                else if (!hasRequests && silence.Idle * period >= _limits.Ping)
                {
                    silences[stream] = silence with { Idle = 0 };
                    await PingAsync(stream.Type);
                }
            }
        }
    }

    /// <summary>Sends a PING. Its reply counts as activity of the stream.</summary>
    private async Task PingAsync(ConnectionType type)
    {
        try
        {
            IRedisAsync target = type == ConnectionType.Subscription ? Subscriber : Database;
            await target.PingAsync(CommandFlags.FireAndForget);
        }
        catch (Exception exception) when (exception is RedisConnectionException or ObjectDisposedException)
        {
            // The link is about to end, and its end is reported elsewhere.
        }
    }

    /// <summary>For how many ticks a stream has had no activity: at all, and while the server had to reply.</summary>
    private readonly record struct Silence(long Activity, int Idle, int WithRequests)
    {
        public Silence Next(long activity, bool hasRequests) =>
            activity != Activity ? new Silence(activity, 0, 0) : new Silence(activity, Idle + 1, hasRequests ? WithRequests + 1 : 0);
    }
}
