using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>
/// The messages of a subject, in order. It outlives connections. Where its reader is too slow, new messages are dropped and counted: the other
/// subscriptions of the connection do not wait for it.
/// </summary>
internal sealed class NatsSubscription : IAsyncEnumerable<NatsMessage>, IDisposable
{
    private readonly Channel<NatsMessage> _messages;
    private readonly SubscriptionTable _table;
    private readonly ILogger _logger;
    private readonly long _id;
    private long _dropped;

    public NatsSubscription(SubscriptionTable table, string subject, string? queueGroup, int capacity, ILogger logger)
    {
        _messages = Channel.CreateBounded<NatsMessage>(capacity);
        (_table, _logger, Subject) = (table, logger, subject);
        _id = table.Add(subject, queueGroup, Received, fault => _messages.Writer.TryComplete(fault.Fault == NatsFault.Closed ? null : fault));
    }

    public string Subject { get; }

    /// <summary>Messages that came and found no room.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <exception cref="NatsException">The subscription has ended, and all that came before was read.</exception>
    public async ValueTask<NatsMessage> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await _messages.Reader.ReadAsync(cancellationToken);
        }
        catch (ChannelClosedException closed)
        {
            throw closed.InnerException is NatsException fault
                ? new NatsException(fault.Fault, fault.Message, fault)
                : new NatsException(NatsFault.Closed, $"the subscription to {Subject} was closed");
        }
    }

    public bool TryRead(out NatsMessage? message) => _messages.Reader.TryRead(out message);

    /// <summary>Ends where the subscription or the connection is closed on our side, and throws where it ends otherwise.</summary>
    public IAsyncEnumerator<NatsMessage> GetAsyncEnumerator(CancellationToken cancellationToken = default) =>
        _messages.Reader.ReadAllAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);

    /// <summary>What came can still be read.</summary>
    public void Dispose()
    {
        _table.Remove(_id);
        _messages.Writer.TryComplete();
    }

    private void Received(NatsMessage message)
    {
        if (!_messages.Writer.TryWrite(message) && !_messages.Reader.Completion.IsCompleted && Interlocked.Increment(ref _dropped) == 1)
        {
            Log.SlowConsumer(_logger, Subject);
        }
    }
}
