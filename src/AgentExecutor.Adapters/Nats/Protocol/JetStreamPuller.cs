using System.Globalization;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>
/// Pulls from one consumer over one subscription. Its owner keeps as much asked for as it has room for, and reads what comes:
/// <code>
/// if (puller.Outstanding &lt; room) { await puller.RequestAsync(...); }
/// foreach (var message in await puller.ReadBatchAsync(max, cancellationToken)) { ... }
/// </code>
/// A lost connection or a new leader only means that nothing is outstanding any more: the read comes back empty and the owner asks anew. Ask for heartbeats:
/// the server does not say that a consumer is missing, it only stays silent, and that is told as a fault when two heartbeats are.
/// </summary>
internal sealed class JetStreamPuller : IDisposable
{
    /// <summary>After a refusal an empty read comes back no sooner, so that an owner who asks in a loop does not spin.</summary>
    private static readonly TimeSpan RefusalPause = TimeSpan.FromMilliseconds(500);

    /// <summary>How long after a move a message may still come over the other connection.</summary>
    private static readonly TimeSpan MoveEcho = TimeSpan.FromSeconds(10);

    private readonly NatsConnection _connection;
    private readonly string _subject;
    private readonly string _name;
    private readonly Lock _gate = new();
    private readonly Queue<JetStreamMessage> _buffer = [];
    private readonly PullLedger _ledger = new();
    private readonly HashSet<string> _seenInMove = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private NatsException? _fault;
    private DateTimeOffset _pauseUntil;
    private DateTimeOffset _echoUntil;
    private string _inbox = "";
    private long _subscription;
    private long _lastId;
    private bool _isDisposed;

    /// <param name="pair"><c>STREAM.CONSUMER</c>.</param>
    public JetStreamPuller(NatsConnection connection, string pair)
    {
        (_connection, _subject, _name) = (connection, $"$JS.API.CONSUMER.MSG.NEXT.{pair}", pair);
        _connection.Disconnected += OnDisconnected;
        _connection.Moving += OnMoving;
        Subscribe();
    }

    /// <summary>Messages that were asked for and may still come.</summary>
    public int Outstanding
    {
        get
        {
            lock (_gate)
            {
                Lapse(Now);
                return _ledger.Outstanding;
            }
        }
    }

    /// <summary>Messages that came and were not read yet.</summary>
    public int Buffered
    {
        get
        {
            lock (_gate)
            {
                return _buffer.Count;
            }
        }
    }

    private DateTimeOffset Now => _connection.Time.GetUtcNow();

    /// <summary>Asks for more messages, besides what was asked for before.</summary>
    /// <param name="expires">How long the server waits for messages to come. Above zero.</param>
    /// <param name="heartbeat">How often it says meanwhile that it is there, at most half of <paramref name="expires"/>; zero for never.</param>
    /// <param name="noWait">Only what is there now.</param>
    /// <param name="maxBytes">Ends the request before a message that would go over this many bytes.</param>
    public async ValueTask RequestAsync(int batch, TimeSpan expires, TimeSpan heartbeat, bool noWait, long? maxBytes, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batch);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(expires, TimeSpan.Zero);
        var body = JetStreamApi.Body(
            new PullRequest(batch, noWait ? null : expires, heartbeat > TimeSpan.Zero ? heartbeat : null, noWait ? true : null, maxBytes), JetStreamJson.Default.PullRequest);
        await _connection.ConnectAsync(cancellationToken); // before it is booked: a connection that is lost clears the books
        var (id, replyTo) = Book(batch, expires, heartbeat);
        try
        {
            await _connection.PublishAsync(_subject, body, null, replyTo, cancellationToken);
        }
        catch
        {
            lock (_gate)
            {
                _ledger.Ended(id, null);
            }
            throw;
        }
    }

    /// <summary>
    /// Waits for the first message and takes what is there with it. Empty where nothing is outstanding: then it is time for <see cref="RequestAsync"/>.
    /// </summary>
    /// <exception cref="NatsException"><see cref="NatsFault.ConsumerGone"/>, <see cref="NatsFault.NoResponders"/>: see that the consumer is there and ask anew. Each is told once.</exception>
    public async Task<IReadOnlyList<JetStreamMessage>> ReadBatchAsync(int max, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            TimeSpan wait;
            lock (_gate)
            {
                if (TakeBatch(max) is { Count: > 0 } batch)
                {
                    return batch;
                }
                var now = Now;
                var next = Lapse(now) ?? _pauseUntil;
                ThrowFault();
                if (next <= now)
                {
                    return [];
                }
                (changed, wait) = (_changed.Task, next - now);
            }
            await WaitAsync(changed, wait, cancellationToken);
        }
    }

    public void Dispose()
    {
        _connection.Disconnected -= OnDisconnected;
        _connection.Moving -= OnMoving;
        lock (_gate)
        {
            _isDisposed = true;
            _fault = new NatsException(NatsFault.Closed, $"the reader of {_name} was closed");
            Changed();
        }
        _connection.Table.Remove(_subscription);
    }

    private async Task WaitAsync(Task changed, TimeSpan wait, CancellationToken cancellationToken)
    {
        try
        {
            await changed.WaitAsync(wait, _connection.Time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // The caller looks at the books again.
        }
    }

    private (long Id, string ReplyTo) Book(int batch, TimeSpan expires, TimeSpan heartbeat)
    {
        lock (_gate)
        {
            if (_subscription == 0)
            {
                Subscribe(); // its end was told, and the caller goes on
            }
            _ledger.Asked(++_lastId, batch, Now, expires, heartbeat);
            return (_lastId, string.Create(CultureInfo.InvariantCulture, $"{_inbox}.{_lastId}"));
        }
    }

    private DateTimeOffset? Lapse(DateTimeOffset now)
    {
        var next = _ledger.Lapse(now);
        if (_ledger.FellSilent)
        {
            _ledger.FellSilent = false;
            _fault ??= new PullStatus(PullStatusKind.Unserved, null, "").FaultFor(_name);
        }
        return next;
    }

    private List<JetStreamMessage> TakeBatch(int max)
    {
        var batch = new List<JetStreamMessage>(Math.Min(max, _buffer.Count));
        while (batch.Count < max && _buffer.TryDequeue(out var message))
        {
            batch.Add(message);
        }
        return batch;
    }

    private void ThrowFault()
    {
        if (_fault is { } fault)
        {
            _fault = _isDisposed ? fault : null;
            throw new NatsException(fault.Fault, fault.Message, fault);
        }
    }

    /// <summary>An inbox of its own for each connection: a server that did not see the last one go would otherwise serve requests that we have forgotten.</summary>
    private void Subscribe()
    {
        _inbox = NatsSubjects.NewInbox();
        _subscription = _connection.Table.Add($"{_inbox}.*", null, OnMessage, OnEnded);
    }

    private void OnMessage(NatsMessage message)
    {
        lock (_gate)
        {
            _ledger.Heard(Now);
            if (JetStreamMetadata.Parse(message.ReplyTo) is { } metadata)
            {
                OnDelivery(new JetStreamMessage(_connection, message, metadata));
            }
            else
            {
                OnStatus(message, PullStatus.Read(message));
            }
        }
    }

    private void OnDelivery(JetStreamMessage message)
    {
        if (Now < _echoUntil && !_seenInMove.Add(message.ReplyTo))
        {
            return;
        }
        _ledger.Delivered();
        _buffer.Enqueue(message);
        Changed();
    }

    private void OnStatus(NatsMessage message, PullStatus status)
    {
        if (status.Kind == PullStatusKind.Heartbeat)
        {
            return;
        }
        _ = long.TryParse(message.Subject.AsSpan(message.Subject.LastIndexOf('.') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var id);
        _ledger.Ended(id, status.Left);
        if (status.Kind == PullStatusKind.Gone)
        {
            _ledger.Clear();
            _echoUntil = default; // one made anew counts from the beginning, and what it delivers looks the same
        }
        _pauseUntil = status.Kind == PullStatusKind.Refused ? Now + RefusalPause : _pauseUntil;
        _fault = status.FaultFor(_name) ?? _fault;
        Changed();
    }

    /// <summary>Over the old connection and over the new one the same delivery has the same reply subject.</summary>
    private void OnMoving()
    {
        lock (_gate)
        {
            _seenInMove.Clear();
            _echoUntil = Now + MoveEcho;
        }
    }

    private void OnDisconnected(NatsException fault)
    {
        lock (_gate)
        {
            if (_isDisposed)
            {
                return;
            }
            _connection.Table.Remove(_subscription);
            Subscribe();
            _ledger.Clear();
            _echoUntil = default;
            Changed();
        }
    }

    /// <summary>The connection gave up, or we may not subscribe.</summary>
    private void OnEnded(NatsException fault)
    {
        lock (_gate)
        {
            (_fault, _subscription) = (fault, 0);
            _ledger.Clear();
            Changed();
        }
    }

    private void Changed()
    {
        _changed.TrySetResult();
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
