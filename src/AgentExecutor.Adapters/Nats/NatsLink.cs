using AgentExecutor.Adapters.Connections;
using Microsoft.Extensions.Logging;
using NATS.Client.Core;
using NATS.Client.JetStream;

namespace AgentExecutor.Adapters.Nats;

/// <summary>
/// The connection to NATS. The client connects at the first use and reconnects by itself. In addition, this class logs an outage only once,
/// limits how long a call waits for a connection to the request timeout, and fails calls in flight at once when the connection is lost or
/// the server denies their subject.
/// </summary>
internal sealed class NatsLink : IAsyncDisposable
{
    private const string Api = "$JS.API.";

    private static readonly Version TerminateReasons = new(2, 10, 4);

    private readonly NatsConnection _connection;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TimeSpan _timeout;
    private readonly OutageLog _outage;
    private readonly CallsInFlight _calls = new();
    private Exception? _lastFailure;
    private ServerError? _lastError;
    private string? _inboxDenial;
    private Move? _move;

    /// <exception cref="FormatException">The URL cannot be read.</exception>
    public NatsLink(NatsSettings settings, TimeProvider time, ILogger logger)
    {
        (_time, _logger, _timeout) = (time, logger, TimeSpan.FromSeconds(settings.RequestTimeoutSeconds));
        _outage = new OutageLog(time, reason => Log.Unavailable(logger, reason), seconds => Log.Back(logger, seconds));
        _connection = new NatsConnection(NatsOptions.From(settings));
        _connection.ConnectionOpened += OnOpenedAsync;
        _connection.ConnectionDisconnected += OnDisconnectedAsync;
        _connection.LameDuckModeActivated += OnLameDuckAsync;
        _connection.ReconnectFailed += OnReconnectFailedAsync;
        _connection.ServerError += OnServerErrorAsync;
        JetStream = new NatsJSContext(_connection);
    }

    /// <summary>Is raised when the connection was lost. Handlers must not block or throw.</summary>
    public event Action? Disconnected;

    /// <summary>Is called before the connection moves away from a server that is about to shut down. It must not throw.</summary>
    public Func<Task>? BeforeMove { get; set; }

    public INatsConnection Connection => _connection;

    public NatsJSContext JetStream { get; }

    public bool IsOpen => _connection.ConnectionState == NatsConnectionState.Open;

    /// <summary>The number of connections that were lost. It distinguishes one connection from the next.</summary>
    public int Generation { get; private set; }

    /// <summary>The largest payload that the server accepts, including headers.</summary>
    public int MaxPayload => _connection.ServerInfo?.MaxPayload ?? int.MaxValue;

    /// <summary>True if the server supports terminating a message with a reason.</summary>
    public bool SupportsTerminateReasons =>
        Version.TryParse(_connection.ServerInfo?.Version.Split('-', 2)[0], out var version) && version >= TerminateReasons;

    /// <summary>Returns true for the subjects of requests to JetStream.</summary>
    public static bool IsApi(string subject) => subject.StartsWith(Api, StringComparison.Ordinal);

    /// <summary>Runs a call of the JetStream API on an open connection.</summary>
    /// <exception cref="NatsException">There is no connection in time, the connection was lost, or the call failed.</exception>
    public Task<T> UseAsync<T>(Func<CancellationToken, Task<T>> use, CancellationToken cancellationToken) =>
        UseAsync(IsApi, use, cancellationToken);

    /// <summary>Runs a call on an open connection. The call fails if the connection is lost meanwhile.</summary>
    /// <param name="uses">Returns whether the call needs a subject. The call fails if the server denies such a subject.</param>
    /// <param name="use">The call.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <exception cref="NatsException">There is no connection in time, the connection was lost, or the call failed.</exception>
    public async Task<T> UseAsync<T>(Predicate<string> uses, Func<CancellationToken, Task<T>> use, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _move) is { } move)
        {
            await move.WaitAsync(_timeout, _time, cancellationToken);
        }
        if (!IsOpen)
        {
            await ConnectAsync(cancellationToken);
        }
        if (Volatile.Read(ref _inboxDenial) is { } denial)
        {
            throw new NatsBusException(NatsBusFault.Unavailable, denial);
        }
        try
        {
            return await _calls.RunAsync(uses, use, cancellationToken);
        }
        catch (Exception exception)
            when (exception is NatsNoReplyException or NatsJSApiNoResponseException or NatsJSPublishNoResponseException
                && RecentError() is { } error
            )
        {
            // The server reports a denied subject separately, and does not respond to the request.
            throw new NatsBusException(NatsBusFault.Unavailable, $"the server did not respond, and reported: {error}", exception);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (IsOpen)
        {
            await FlushAsync();
        }
        await _connection.DisposeAsync();
        await _calls.FailAllAsync("the connection was closed");
    }

    /// <summary>Sends the queued acknowledgements, whose calls return before they are sent.</summary>
    private async Task FlushAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(1), _time);
        try
        {
            await _connection.PingAsync(limit.Token);
        }
        catch (Exception exception) when (exception is OperationCanceledException || NatsFaults.IsFromNats(exception))
        {
            // The server delivers the messages again whose acknowledgements it has not received.
        }
    }

    private async Task ConnectAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _connection.ConnectAsync().AsTask().WaitAsync(_timeout, _time, cancellationToken);
        }
        catch (TimeoutException exception)
        {
            throw new NatsBusException(NatsBusFault.Unavailable, $"no connection within {_timeout.TotalSeconds} s", exception);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new NatsBusException(NatsBusFault.Unavailable, "the connection was lost", exception);
        }
        catch (Exception exception) when (NatsFaults.IsFromNats(exception))
        {
            ReportFailure(exception);
            throw;
        }
    }

    /// <summary>Logs the exception once, although all callers that wait for the same attempt receive it.</summary>
    private void ReportFailure(Exception exception)
    {
        if (ReferenceEquals(Interlocked.Exchange(ref _lastFailure, exception), exception))
        {
            return;
        }
        if (NatsFaults.IsRefused(exception))
        {
            Log.Refused(_logger, NatsFaults.Describe(exception));
        }
        else
        {
            _outage.Failed(this, NatsFaults.Describe(exception));
        }
    }

    private ValueTask OnOpenedAsync(object? sender, NatsEventArgs e)
    {
        (_lastError, _inboxDenial) = (null, null);
        var info = _connection.ServerInfo;
        Log.Connected(_logger, info?.Name ?? "", info?.Version ?? "", e.Message);
        _outage.Succeeded(this);
        Interlocked.Exchange(ref _move, null)?.End();
        return ValueTask.CompletedTask;
    }

    private async ValueTask OnDisconnectedAsync(object? sender, NatsEventArgs e)
    {
        Generation++;
        Disconnected?.Invoke();
        if (_move is null)
        {
            _outage.Failed(this, $"the connection to {e.Message} was lost");
        }
        await _calls.FailAllAsync("the connection was lost");
    }

    /// <summary>
    /// Moves the connection to another server at once, when the server announces that it will close its connections one after another. The
    /// short interruption does not count as an outage, because calls wait for the new connection.
    /// </summary>
    private async ValueTask OnLameDuckAsync(object? sender, NatsLameDuckModeActivatedEventArgs e)
    {
        if (_move is not null)
        {
            // The server repeats the announcement while the connection moves.
            return;
        }
        Log.LameDuck(_logger, _connection.ServerInfo?.Name ?? e.Message);
        if (_connection.ServerInfo?.ClientConnectUrls is { Length: > 1 } || _connection.Opts.Url.Contains(',', StringComparison.Ordinal))
        {
            Volatile.Write(ref _move, new Move(_time.GetTimestamp()));
            if (BeforeMove is { } beforeMove)
            {
                await beforeMove();
            }
            await _connection.ReconnectAsync();
        }
    }

    /// <summary>
    /// The first attempts of a move may reach the server that shuts down. Failed attempts count as an outage only after the timeout.
    /// </summary>
    private ValueTask OnReconnectFailedAsync(object? sender, NatsEventArgs e)
    {
        if (_move is { } move && _time.GetElapsedTime(move.Start) > _timeout)
        {
            _outage.Failed(this, $"no other server accepts the connection: {e.Message}");
            Volatile.Write(ref _move, null);
            move.End();
        }
        return ValueTask.CompletedTask;
    }

    /// <summary>Logs an error only once, although each attempt during an outage may cause it.</summary>
    private async ValueTask OnServerErrorAsync(object? sender, NatsServerErrorEventArgs e)
    {
        var error = new ServerError(e.Error, _time.GetTimestamp());
        var before = Interlocked.Exchange(ref _lastError, error);
        if (before?.Text != e.Error && _connection.ConnectionState is not NatsConnectionState.Connecting)
        {
            Log.ServerError(_logger, e.Error);
        }
        if (error.DeniedSubject is not { } subject)
        {
            return;
        }
        if (subject.StartsWith($"{_connection.Opts.InboxPrefix}.", StringComparison.Ordinal))
        {
            // Without its inbox the client receives no response to any request on this connection.
            Volatile.Write(ref _inboxDenial, e.Error);
            await _calls.FailAllAsync(e.Error);
        }
        else
        {
            await _calls.FailCallsOnAsync(subject, e.Error);
        }
    }

    private string? RecentError() =>
        Volatile.Read(ref _lastError) is { } error && _time.GetElapsedTime(error.At) <= _timeout * 2 ? error.Text : null;

    /// <summary>A move to another server, whose end calls wait for.</summary>
    private sealed class Move(long start)
    {
        private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public long Start => start;

        public void End() => _end.TrySetResult();

        public async Task WaitAsync(TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
        {
            try
            {
                await _end.Task.WaitAsync(limit, time, cancellationToken);
            }
            catch (TimeoutException)
            {
                // The call then reports that there is no connection.
            }
        }
    }
}
