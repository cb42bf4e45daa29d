using System.Threading.Channels;
using AgentExecutor.Core.Events;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Streaming;

/// <summary>
/// Distributes the events of this process's runs: batches them for a few milliseconds, encodes them once, and passes them to the
/// subscribers in this process and to the transport. Both buffers are bounded and drop the oldest events, so runs never wait.
/// </summary>
internal sealed class EventPump(
    IEventTransport? transport,
    StreamSettings settings,
    Action<string, StreamEvent> deliver,
    TimeProvider time,
    ILogger logger
)
{
    private const int MaxBatchSize = 4096;

    /// <summary>
    /// Events that were in flight when a connection broke are lost with it, so they are sent once more. Subscribers recognise duplicates by
    /// their number.
    /// </summary>
    private const int Attempts = 2;

    private static readonly TimeSpan MaxBatchDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FlushTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100);

    private readonly Channel<EventEnvelope> _published = Channel.CreateBounded<EventEnvelope>(
        new BoundedChannelOptions(settings.BufferEvents) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true },
        static _ => Telemetry.StreamEventsDropped.Add(1)
    );

    private readonly OutgoingEvents _outgoing = new(settings.BufferEvents, settings.BufferBytes);

    /// <summary>Adds an event without ever waiting.</summary>
    public void Add(EventEnvelope envelope) => _published.Writer.TryWrite(envelope);

    /// <summary>Distributes events until asked to stop, and then sends the remaining ones for a limited time.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        await Task.Yield();
        using var flushing = new CancellationTokenSource();
        var sending = transport is null ? Task.CompletedTask : SendAsync(transport, flushing.Token);
        await BatchAsync(stopping);
        flushing.CancelAfter(FlushTimeout);
        _outgoing.Complete();
        await sending;
    }

    private async Task BatchAsync(CancellationToken stopping)
    {
        var batchDelay = TimeSpan.FromMilliseconds(Math.Min(settings.GatherMilliseconds, MaxBatchDelay.TotalMilliseconds));
        try
        {
            while (await _published.Reader.WaitToReadAsync(stopping))
            {
                if (batchDelay > TimeSpan.Zero)
                {
                    await Task.Delay(batchDelay, time, stopping);
                }
                Distribute();
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            Distribute();
        }
    }

    private void Distribute()
    {
        while (_published.Reader.TryRead(out var envelope))
        {
            try
            {
                var value = RunEventJson.Encode(envelope, settings.State);
                deliver(envelope.ThreadId, value);
                if (transport is not null)
                {
                    _outgoing.Add(envelope.ThreadId, value);
                }
            }
            catch (Exception exception) // An event that cannot be published must not prevent the others from being published.
            {
                Log.EventNotPublished(logger, exception, envelope.ThreadId, envelope.Sequence);
            }
        }
    }

    private async Task SendAsync(IEventTransport to, CancellationToken flushing)
    {
        var batch = new List<(string ThreadId, StreamEvent Event)>(MaxBatchSize);
        var isOpen = true;
        while (isOpen && !flushing.IsCancellationRequested)
        {
            try
            {
                // The connection is needed even if nothing is published, because subscribers and the readiness probe use it.
                await to.ConnectedAsync(flushing);
                isOpen = await _outgoing.WaitAsync(flushing);
                batch.Clear();
                _outgoing.Take(batch, MaxBatchSize);
                await SendAsync(to, batch, flushing);
            }
            catch (OperationCanceledException) when (flushing.IsCancellationRequested)
            {
                return; // the remaining events are in the log, except for chunks
            }
            catch (Exception exception) // A batch that cannot be sent must not prevent the next ones from being sent.
            {
                Log.BatchNotSent(logger, exception);
                await Task.Delay(RetryDelay, time, flushing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task SendAsync(IEventTransport to, List<(string ThreadId, StreamEvent Event)> batch, CancellationToken flushing)
    {
        for (var attempt = 1; attempt <= Attempts && batch.Count > 0; attempt++)
        {
            try
            {
                var accepted = await to.PublishAsync(batch, flushing);
                Count(batch.Take(accepted).Select(static it => it.Event.Type));
                Telemetry.RedisPublishErrors.Add(batch.Count - accepted);
                return;
            }
            catch (FaultException) // The transport logs the outage itself.
            {
                await Task.Delay(RetryDelay, time, flushing);
                await to.ConnectedAsync(flushing);
            }
        }
        Telemetry.RedisPublishErrors.Add(batch.Count);
    }

    private static void Count(IEnumerable<string> types)
    {
        foreach (var type in types.CountBy(static type => type))
        {
            Telemetry.RedisPublishes.Add(type.Value, new KeyValuePair<string, object?>("event_type", type.Key));
        }
    }
}
