using System.Globalization;
using System.Text;
using NATS.Client.Core;

namespace AgentExecutor.Adapters.Nats;

/// <summary>
/// Pulls jobs from the consumer that all workers share. At most one pull request is open, and it stays open from one read to the next, so
/// the server never delivers more messages than the worker had free slots for when it sent the request.
/// <para>
/// The pull methods of the client are not used, because each of them ends its subscription with the call: messages that are in transit at
/// that moment are delivered again only after the ack wait. After a reconnect they request the full number again on the same inbox. Here
/// the inbox is kept between reads, replaced after a reconnect, and drained at the end.
/// </para>
/// </summary>
internal sealed class JobPull(NatsLink link, string stream, string consumer, TimeProvider time) : IAsyncDisposable
{
    /// <summary>Half of the capacity of a subscription's channel, which drops further messages.</summary>
    private const int MaxMessages = 8_000;

    /// <summary>A shorter request needs no heartbeats, because its end shows soon enough that the server is alive.</summary>
    private static readonly TimeSpan MinExpiryWithHeartbeats = TimeSpan.FromSeconds(3);

    /// <summary>How long after its expiry the end of a request may arrive.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    /// <summary>
    /// The pause after the server has rejected a request, so that a caller that reads in a loop does not use all of a CPU.
    /// </summary>
    private static readonly TimeSpan RefusalPause = TimeSpan.FromMilliseconds(500);

    /// <summary>How long a drain waits for the messages that the open pull request has asked for.</summary>
    private static readonly TimeSpan DrainPatience = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan DrainPoll = TimeSpan.FromMilliseconds(10);

    private readonly SemaphoreSlim _reading = new(1, 1);
    private readonly Queue<NatsMsg<byte[]>> _unread = [];
    private readonly string _requests = $"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}";
    private INatsSub<byte[]>? _inbox;
    private string _prefix = "";
    private int _generation;
    private volatile bool _isDrained;
    private int _outstanding;
    private long _request;
    private long _lastActivity;
    private TimeSpan _silence;

    /// <summary>
    /// Waits for the first message and returns all that have arrived. Returns no message if the pull request has ended without one.
    /// </summary>
    /// <param name="atMost">How many messages to return.</param>
    /// <param name="wait">How long the server keeps the pull request open, if a new one is needed.</param>
    /// <param name="cancellationToken">Cancels the wait. The pull request stays open.</param>
    /// <exception cref="NatsBusException">The consumer does not respond.</exception>
    public async Task<List<NatsMsg<byte[]>>> ReadAsync(int atMost, TimeSpan wait, CancellationToken cancellationToken)
    {
        await _reading.WaitAsync(cancellationToken);
        try
        {
            await SubscribeAsync();
            var messages = new List<NatsMsg<byte[]>>();
            var status = Take(messages, atMost);
            if (messages.Count == 0 && _outstanding == 0 && status is not (PullStatus.Missing or PullStatus.Refused))
            {
                await RequestAsync(Math.Min(atMost, MaxMessages), wait, cancellationToken);
            }
            while (messages.Count == 0 && _outstanding > 0)
            {
                await WaitAsync(cancellationToken);
                status = Take(messages, atMost);
            }
            if (messages.Count == 0 && status == PullStatus.Missing)
            {
                throw new NatsBusException(
                    NatsBusFault.ConsumerMissing,
                    $"the consumer {stream}.{consumer} does not exist, or is not a pull consumer"
                );
            }
            if (messages.Count == 0 && status == PullStatus.Refused)
            {
                await Task.Delay(RefusalPause, time, cancellationToken);
            }
            return messages;
        }
        finally
        {
            _reading.Release();
        }
    }

    /// <summary>Returns true for the subject to which pull requests are sent.</summary>
    public bool Uses(string subject) => subject.Equals(_requests, StringComparison.Ordinal);

    /// <summary>
    /// Makes the next read send a new pull request, because after a failed read the server may not have accepted the last one.
    /// </summary>
    public void ForgetRequest() => _outstanding = 0;

    /// <summary>
    /// Ends the pull request before the connection is closed, and receives the messages that are in transit. The waiting read returns them,
    /// and the next read subscribes again.
    /// </summary>
    public async Task DrainAsync()
    {
        if (Volatile.Read(ref _inbox) is { } inbox && !_isDrained)
        {
            await RequestedMessagesAsync(inbox);
            _isDrained = true;
            await inbox.DrainAsync(CancellationToken.None);
        }
    }

    /// <summary>
    /// Waits until all requested messages have arrived. The server of a cluster discards messages that it receives from another server
    /// after the end of the subscription, and these would be delivered again only after the ack wait.
    /// </summary>
    private async Task RequestedMessagesAsync(INatsSub<byte[]> inbox)
    {
        var started = time.GetTimestamp();
        while (inbox.Msgs.Count < Volatile.Read(ref _outstanding) && time.GetElapsedTime(started) < DrainPatience)
        {
            await Task.Delay(DrainPoll, time);
        }
    }

    /// <summary>Ends the subscription, and returns the messages that were delivered but not read.</summary>
    public async Task<List<NatsMsg<byte[]>>> CloseAsync()
    {
        await _reading.WaitAsync(CancellationToken.None);
        try
        {
            await UnsubscribeAsync();
            List<NatsMsg<byte[]>> messages = [.. _unread];
            _unread.Clear();
            return messages;
        }
        finally
        {
            _reading.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        _reading.Dispose();
    }

    /// <summary>
    /// Subscribes to a new inbox for each connection. A server that still handles a request of the previous connection could otherwise
    /// deliver more messages than the new request asked for.
    /// </summary>
    private async Task SubscribeAsync()
    {
        if (_inbox is not null && _generation == link.Generation && !_isDrained)
        {
            return;
        }
        await UnsubscribeAsync();
        (_generation, _isDrained) = (link.Generation, false);
        // The client does not create inboxes with a wildcard.
        _prefix = $"{link.Connection.Opts.InboxPrefix}.{Guid.NewGuid():N}.";
        // A token that is passed here would end the subscription whenever it is cancelled.
        _inbox = await link.Connection.SubscribeCoreAsync(
            $"{_prefix}*",
            serializer: NatsRawSerializer<byte[]>.Default,
            cancellationToken: CancellationToken.None
        );
    }

    /// <summary>Ends the subscription, waits for the messages that are in transit, and keeps them for the next read.</summary>
    private async Task UnsubscribeAsync()
    {
        if (_inbox is not { } inbox)
        {
            return;
        }
        if (link.IsOpen && !_isDrained)
        {
            await inbox.DrainAsync(CancellationToken.None);
        }
        _outstanding = 0;
        while (inbox.Msgs.TryRead(out var message))
        {
            if (!IsStatus(message))
            {
                _unread.Enqueue(message);
            }
        }
        _inbox = null;
        await inbox.DisposeAsync();
    }

    private async Task RequestAsync(int count, TimeSpan expires, CancellationToken cancellationToken)
    {
        var heartbeat = expires >= MinExpiryWithHeartbeats ? expires / 3 : TimeSpan.Zero;
        var request = string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"batch":{{count}},"expires":{{Nanoseconds(expires)}},"idle_heartbeat":{{Nanoseconds(heartbeat)}}}"""
        );
        _request++;
        _lastActivity = time.GetTimestamp();
        _silence = heartbeat > TimeSpan.Zero ? heartbeat * 2 : expires + Grace;
        await link.Connection.PublishAsync(
            _requests,
            Encoding.UTF8.GetBytes(request),
            replyTo: string.Create(CultureInfo.InvariantCulture, $"{_prefix}{_request}"),
            serializer: NatsRawSerializer<byte[]>.Default,
            cancellationToken: cancellationToken
        );
        _outstanding = count;
    }

    /// <summary>
    /// Waits for a message or a status. The server does not report that a consumer is missing, so this fails if nothing arrives in time.
    /// </summary>
    private async Task WaitAsync(CancellationToken cancellationToken)
    {
        var left = _silence - time.GetElapsedTime(_lastActivity);
        using var limit = new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.FromMilliseconds(1), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            if (!await _inbox!.Msgs.WaitToReadAsync(either.Token))
            {
                // The subscription was drained.
                _outstanding = 0;
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            _outstanding = 0;
            throw new NatsBusException(
                NatsBusFault.ConsumerMissing,
                $"the consumer {stream}.{consumer} does not respond: it does not exist, or it has no leader at the moment"
            );
        }
    }

    private PullStatus Take(List<NatsMsg<byte[]>> messages, int atMost)
    {
        while (messages.Count < atMost && _unread.TryDequeue(out var unread))
        {
            messages.Add(unread);
        }
        var status = PullStatus.Waiting;
        while (messages.Count < atMost && _inbox!.Msgs.TryRead(out var message))
        {
            _lastActivity = time.GetTimestamp();
            if (!IsStatus(message))
            {
                messages.Add(message);
                _outstanding = Math.Max(0, _outstanding - 1);
            }
            else if (IsOfCurrentRequest(message) && PullStatuses.Of(message.Headers) is var reported and not PullStatus.Waiting)
            {
                (status, _outstanding) = (reported, 0);
            }
        }
        return status;
    }

    /// <summary>
    /// Returns true for a status of the server, whose subject is the inbox. A delivered message has the subject to which it was published.
    /// </summary>
    private bool IsStatus(in NatsMsg<byte[]> message) => message.Subject.StartsWith(_prefix, StringComparison.Ordinal);

    private bool IsOfCurrentRequest(in NatsMsg<byte[]> message) =>
        message.Subject.AsSpan(_prefix.Length).SequenceEqual(_request.ToString(CultureInfo.InvariantCulture));

    private static long Nanoseconds(TimeSpan span) => span.Ticks * TimeSpan.NanosecondsPerTick;
}
