using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Events;

/// <summary>
/// Takes what the runs of this process tell and passes it on: gathered for a few milliseconds, encoded once, to those who watch here and to the transport. Both buffers are
/// bounded and lose the oldest: runs wait for neither.
/// </summary>
internal sealed class EventPump(IEventTransport? transport, StreamSettings settings, Action<string, StreamEvent> handOut, TimeProvider time, ILogger logger)
{
    private const int MostAtOnce = 4096;

    /// <summary>A connection that breaks takes what was under way with it. That is sent once more: who watches knows each event by its number.</summary>
    private const int Attempts = 2;

    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly Channel<EventEnvelope> _told = Bounded<EventEnvelope>(settings.BufferEvents);
    private readonly Channel<(string ThreadId, StreamEvent Event)> _toSend = Bounded<(string, StreamEvent)>(settings.BufferEvents);

    /// <summary>Never waits.</summary>
    public void Add(EventEnvelope envelope) => _told.Writer.TryWrite(envelope);

    /// <summary>Passes on until it is asked to stop, and then what is left, for a moment.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        await Task.Yield();
        using var farewell = new CancellationTokenSource();
        var sending = transport is null ? Task.CompletedTask : SendAsync(transport, farewell.Token);
        await GatherAsync(stopping);
        farewell.CancelAfter(Farewell);
        _toSend.Writer.TryComplete();
        await sending;
    }

    private async Task GatherAsync(CancellationToken stopping)
    {
        var gather = TimeSpan.FromMilliseconds(settings.GatherMilliseconds);
        try
        {
            while (await _told.Reader.WaitToReadAsync(stopping))
            {
                if (gather > TimeSpan.Zero)
                {
                    await Task.Delay(gather, time, stopping);
                }
                PassOn();
            }
        }
        catch (OperationCanceledException)
        {
            PassOn();
        }
    }

    private void PassOn()
    {
        while (_told.Reader.TryRead(out var envelope))
        {
            try
            {
                var value = RunEventJson.Encode(envelope, settings.State);
                handOut(envelope.ThreadId, value);
                if (transport is not null)
                {
                    _toSend.Writer.TryWrite((envelope.ThreadId, value));
                }
            }
            catch (Exception exception) // the border of an event: one that cannot be told must not keep the others from being told
            {
                Log.NotTold(logger, exception, envelope.ThreadId, envelope.Sequence);
            }
        }
    }

    private async Task SendAsync(IEventTransport to, CancellationToken farewell)
    {
        var batch = new List<(string ThreadId, StreamEvent Event)>(MostAtOnce);
        try
        {
            do
            {
                try
                {
                    await to.ConnectedAsync(farewell); // also where nothing is told: those who watch and those who probe want it
                    batch.Clear();
                    while (batch.Count < MostAtOnce && _toSend.Reader.TryRead(out var next))
                    {
                        batch.Add(next);
                    }
                    await SendAsync(to, batch, farewell);
                }
                catch (Exception exception) when (exception is not OperationCanceledException) // the border of a batch: the next ones must go out
                {
                    Log.NotSent(logger, exception);
                    await Task.Delay(Pause, time, farewell);
                }
            }
            while (await _toSend.Reader.WaitToReadAsync(farewell));
        }
        catch (OperationCanceledException)
        {
            // what is left is in the log, but for chunks
        }
    }

    private async Task SendAsync(IEventTransport to, List<(string ThreadId, StreamEvent Event)> batch, CancellationToken farewell)
    {
        for (var attempt = 1; attempt <= Attempts && batch.Count > 0; attempt++)
        {
            try
            {
                var taken = await to.PublishAsync(batch, farewell);
                Count(batch.Take(taken).Select(static it => it.Event.Type));
                Telemetry.RedisPublishErrors.Add(batch.Count - taken);
                return;
            }
            catch (FaultException) // the transport says itself, once, what is wrong
            {
                await Task.Delay(Pause, time, farewell);
                await to.ConnectedAsync(farewell);
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

    private static Channel<T> Bounded<T>(int capacity) => Channel.CreateBounded<T>(
        new BoundedChannelOptions(capacity) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true }, static _ => Telemetry.StreamEventsDropped.Add(1));
}
