using AgentExecutor.Core.Events;

namespace AgentExecutor.Core.Streaming;

/// <summary>
/// Encoded events that wait for the transport. The number of events and bytes is bounded: the oldest events are dropped and counted.
/// </summary>
internal sealed class OutgoingEvents(int maxEvents, long maxBytes)
{
    private readonly Lock _gate = new();
    private readonly Queue<(string ThreadId, StreamEvent Event)> _waiting = [];
    private TaskCompletionSource? _reader;
    private long _bytes;
    private bool _isComplete;

    public void Add(string threadId, in StreamEvent value)
    {
        lock (_gate)
        {
            _waiting.Enqueue((threadId, value));
            _bytes += value.Json.Length;
            while (_waiting.Count > maxEvents || (_bytes > maxBytes && _waiting.Count > 1))
            {
                _bytes -= _waiting.Dequeue().Event.Json.Length;
                Telemetry.StreamEventsDropped.Add(1);
            }
            _reader?.TrySetResult();
        }
    }

    /// <summary>Declares that no more events will be added.</summary>
    public void Complete()
    {
        lock (_gate)
        {
            _isComplete = true;
            _reader?.TrySetResult();
        }
    }

    /// <summary>Moves the oldest events into the list, until it contains <paramref name="most"/> events.</summary>
    public void Take(List<(string ThreadId, StreamEvent Event)> into, int most)
    {
        lock (_gate)
        {
            while (into.Count < most && _waiting.TryDequeue(out var oldest))
            {
                into.Add(oldest);
                _bytes -= oldest.Event.Json.Length;
            }
        }
    }

    /// <summary>Waits until there are events. Returns false if there will be none.</summary>
    public async ValueTask<bool> WaitAsync(CancellationToken cancellationToken)
    {
        Task available;
        lock (_gate)
        {
            if (_waiting.Count > 0 || _isComplete)
            {
                return _waiting.Count > 0;
            }
            _reader = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            available = _reader.Task;
        }
        await available.WaitAsync(cancellationToken);
        lock (_gate)
        {
            return _waiting.Count > 0;
        }
    }
}
