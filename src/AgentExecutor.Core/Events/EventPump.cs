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

    private static readonly TimeSpan LongestGather = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly Channel<EventEnvelope> _told = Channel.CreateBounded<EventEnvelope>(
        new BoundedChannelOptions(settings.BufferEvents) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true }, static _ => Telemetry.StreamEventsDropped.Add(1));

    private readonly OutgoingEvents _outgoing = new(settings.BufferEvents, settings.BufferBytes);

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
        _outgoing.Complete();
        await sending;
    }

    private async Task GatherAsync(CancellationToken stopping)
    {
        var gather = TimeSpan.FromMilliseconds(Math.Min(settings.GatherMilliseconds, LongestGather.TotalMilliseconds));
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
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
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
                    _outgoing.Add(envelope.ThreadId, value);
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
        var isOpen = true;
        while (isOpen && !farewell.IsCancellationRequested)
        {
            try
            {
                await to.ConnectedAsync(farewell); // also where nothing is told: those who watch and those who probe want it
                isOpen = await _outgoing.WaitAsync(farewell);
                batch.Clear();
                _outgoing.Take(batch, MostAtOnce);
                await SendAsync(to, batch, farewell);
            }
            catch (OperationCanceledException) when (farewell.IsCancellationRequested)
            {
                return; // what is left is in the log, but for chunks
            }
            catch (Exception exception) // the border of a batch: the next ones must go out
            {
                Log.NotSent(logger, exception);
                await Task.Delay(Pause, time, farewell).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
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
}
