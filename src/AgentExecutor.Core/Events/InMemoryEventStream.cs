using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace AgentExecutor.Core.Events;

/// <summary>
/// Events within one process. Each subscriber has a bounded buffer. If it falls behind, it loses the oldest events, which it notices by the
/// gap in the sequence numbers.
/// </summary>
public sealed class InMemoryEventStream(int capacity = InMemoryEventStream.DefaultCapacity) : IEventStream
{
    public const int DefaultCapacity = 8192;

    private readonly ConcurrentDictionary<string, ImmutableArray<ChannelWriter<EventEnvelope>>> _watchers = new();

    public IEventSink Open(string threadId, long last) => new Sink(this);

    private void Publish(EventEnvelope envelope)
    {
        if (_watchers.TryGetValue(envelope.ThreadId, out var watchers))
        {
            foreach (var watcher in watchers)
            {
                watcher.TryWrite(envelope);
            }
        }
    }

    /// <summary>Returns the thread's events in order, starting with the call (not with the first read), until cancelled.</summary>
    public IAsyncEnumerable<EventEnvelope> WatchAsync(string threadId, CancellationToken cancellationToken)
    {
        var channel = Channel.CreateBounded<EventEnvelope>(
            new BoundedChannelOptions(capacity) { FullMode = BoundedChannelFullMode.DropOldest }
        );
        _watchers.AddOrUpdate(threadId, [channel.Writer], (_, watchers) => watchers.Add(channel.Writer));
        return ReadAsync(threadId, channel, cancellationToken);
    }

    private async IAsyncEnumerable<EventEnvelope> ReadAsync(
        string threadId,
        Channel<EventEnvelope> channel,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        try
        {
            bool more;
            do
            {
                more = await WaitAsync(channel.Reader, cancellationToken);
                while (channel.Reader.TryRead(out var envelope))
                {
                    yield return envelope;
                }
            } while (more);
        }
        finally
        {
            Leave(threadId, channel.Writer);
        }
    }

    /// <summary>Returns false after cancellation. Events that arrived before it are still delivered.</summary>
    private static async ValueTask<bool> WaitAsync(ChannelReader<EventEnvelope> reader, CancellationToken cancellationToken)
    {
        try
        {
            return await reader.WaitToReadAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private void Leave(string threadId, ChannelWriter<EventEnvelope> writer)
    {
        var left = _watchers.AddOrUpdate(threadId, [], (_, watchers) => watchers.Remove(writer));
        if (left.IsEmpty)
        {
            _watchers.TryRemove(KeyValuePair.Create(threadId, left));
        }
    }

    /// <summary>Passes events on and keeps nothing.</summary>
    private sealed class Sink(InMemoryEventStream stream) : IEventSink
    {
        public void Publish(EventEnvelope envelope) => stream.Publish(envelope);

        public void Stored(long last) { }

        public void Dispose() { }
    }
}
