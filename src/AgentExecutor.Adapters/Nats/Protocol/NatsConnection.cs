using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>
/// A client of a NATS cluster. It connects at the first call that needs it and then by itself for ever; subscriptions outlive connections. What is published
/// is written in the order of the calls, many messages at a time, and callers wait while the server is slower than they are. Nothing is kept over a lost
/// connection: what had not been written is gone, as in NATS it may always be, and requests under way fail as transient.
/// </summary>
internal sealed partial class NatsConnection : IAsyncDisposable
{
    private readonly SubscriptionTable _table = new();
    private readonly ReplyInbox _inbox;
    private readonly LinkKeeper _keeper;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TimeSpan _timeout;

    /// <exception cref="NatsException"><see cref="NatsFault.InvalidSettings"/>.</exception>
    public NatsConnection(NatsSettings settings, TimeProvider time, ILogger logger)
    {
        (_time, _logger, _timeout) = (time, logger, TimeSpan.FromSeconds(settings.RequestTimeoutSeconds));
        _inbox = new ReplyInbox(_table);
        _keeper = new LinkKeeper(settings, new LinkEvents(_table.Deliver, (info, from) => _keeper!.Learn(info, from), ServerSaid), time, logger);
        _keeper.Up += OnUp;
        _keeper.Moving += () => Moving?.Invoke();
        _keeper.Left += _table.Release;
        _keeper.Down += OnDown;
        _keeper.Ended += OnEnded;
    }

    /// <summary>A connection is up, the first or another. Handlers run on the loop that keeps it: they must not block or throw.</summary>
    public event Action? Connected;

    /// <summary>The connection was lost, or closed for good, and what was under way with it.</summary>
    public event Action<NatsException>? Disconnected;

    /// <summary>We move to another server: for a moment a message may come twice.</summary>
    public event Action? Moving;

    public bool IsConnected => _keeper.Current is not null;

    /// <summary>The server that we are connected to.</summary>
    public ServerInfo? Info => _keeper.Current?.Info;

    /// <summary>The clock that it was given.</summary>
    public TimeProvider Time => _time;

    /// <summary>Returns when connected.</summary>
    /// <exception cref="NatsException">Every server was tried once. Where the fault is transient, trying goes on by itself.</exception>
    public Task ConnectAsync(CancellationToken cancellationToken) => _keeper.LinkAsync(cancellationToken);

    /// <summary>Returns when the message waits to be written. While there is no connection it waits for one as long as for an answer.</summary>
    /// <exception cref="NatsException">Not connected in time, too large, not allowed by its form.</exception>
    public ValueTask PublishAsync(string subject, ReadOnlyMemory<byte> payload, NatsHeaders? headers, string? replyTo, CancellationToken cancellationToken)
    {
        NatsSubjects.CheckPublish(subject);
        if (replyTo is not null)
        {
            NatsSubjects.CheckPublish(replyTo);
        }
        var frame = new PublishFrame(subject, replyTo, headers is { Count: > 0 } ? headers.Encode() : default, payload);
        return _keeper.Current is { } link && link.TryPublish(frame) ? ValueTask.CompletedTask : PublishWhenPossibleAsync(frame, cancellationToken);
    }

    /// <summary>Sends and waits for the first answer.</summary>
    /// <param name="timeout">The settings' where it is null.</param>
    /// <exception cref="NatsException">Nobody listens, no answer in time, or the connection was lost.</exception>
    public async Task<NatsMessage> RequestAsync(string subject, ReadOnlyMemory<byte> payload, NatsHeaders? headers, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        var (id, replyTo, reply) = _inbox.Open(subject);
        try
        {
            await PublishAsync(subject, payload, headers, replyTo, cancellationToken);
            var message = await reply.WaitAsync(timeout ?? _timeout, _time, cancellationToken);
            return message.Status == 503 ? throw new NatsException(NatsFault.NoResponders, $"nobody answers on {subject}") : message;
        }
        catch (TimeoutException)
        {
            throw new NatsException(NatsFault.Timeout, $"no answer on {subject} within {(timeout ?? _timeout).TotalSeconds} s");
        }
        finally
        {
            _inbox.Forget(id);
        }
    }

    /// <summary>From now on, and after each reconnect again; the server has it when <see cref="FlushAsync"/> returns.</summary>
    /// <param name="queueGroup">Of all subscribers with the same group, one gets a message.</param>
    /// <param name="capacity">Messages that may wait for the reader; more are dropped.</param>
    public NatsSubscription Subscribe(string subject, string? queueGroup, int capacity)
    {
        if (queueGroup is not null)
        {
            NatsSubjects.CheckSubscribe(queueGroup);
        }
        return new NatsSubscription(_table, subject, queueGroup, capacity, _logger);
    }

    /// <summary>Returns when the server has seen all that was sent before.</summary>
    /// <exception cref="NatsException">Not connected in time, or the connection was lost.</exception>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        var link = await LinkAsync(cancellationToken);
        try
        {
            await link.PingAsync(cancellationToken).WaitAsync(_timeout, _time, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new NatsException(NatsFault.Timeout, $"the NATS server did not answer within {_timeout.TotalSeconds} s");
        }
    }

    /// <summary>Takes no more messages, lets those come that are on their way, sends what waits, and closes. What came can still be read.</summary>
    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        if (_keeper.Current is { } link)
        {
            _table.Release(link);
            try
            {
                await FlushAsync(cancellationToken);
            }
            catch (NatsException)
            {
                // The connection went first: nothing is on its way any more.
            }
        }
        await DisposeAsync();
    }

    public ValueTask DisposeAsync() => _keeper.DisposeAsync();

    /// <summary>For the parts of this client that handle messages as they come.</summary>
    internal SubscriptionTable Table => _table;

    private async ValueTask PublishWhenPossibleAsync(PublishFrame frame, CancellationToken cancellationToken)
    {
        while (true)
        {
            var link = await LinkAsync(cancellationToken);
            if (link.TryPublish(frame))
            {
                return;
            }
            await link.SpaceAsync(cancellationToken);
        }
    }

    private async Task<NatsLink> LinkAsync(CancellationToken cancellationToken)
    {
        try
        {
            return _keeper.Current ?? await _keeper.LinkAsync(cancellationToken).WaitAsync(_timeout, _time, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new NatsException(NatsFault.Unreachable, $"no connection to NATS within {_timeout.TotalSeconds} s");
        }
    }

    private void OnUp(NatsLink link)
    {
        _table.Attach(link);
        Connected?.Invoke();
    }

    private void OnDown(NatsException fault)
    {
        _table.Detach();
        _inbox.Fail(fault);
        Disconnected?.Invoke(fault);
    }

    private void OnEnded(NatsException fault)
    {
        OnDown(fault);
        _table.End(fault);
    }

    /// <summary>The server names the subject that we may not use: those who wait on it need not wait for their limit.</summary>
    private void ServerSaid(string error)
    {
        Log.ServerError(_logger, error);
        if (PermissionError().Match(error) is { Success: true } match)
        {
            var fault = new NatsException(NatsFault.PermissionDenied, $"NATS: {error}");
            if (match.Groups["verb"].Value == "Publish")
            {
                _inbox.Fail(fault, match.Groups["subject"].Value);
            }
            else
            {
                _table.End(fault, match.Groups["subject"].Value);
            }
        }
    }

    [GeneratedRegex("^Permissions Violation for (?<verb>Publish|Subscription) to \"(?<subject>[^\"]*)\"", RegexOptions.IgnoreCase)]
    private static partial Regex PermissionError();
}
