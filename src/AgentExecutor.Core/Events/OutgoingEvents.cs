namespace AgentExecutor.Core.Events;

/// <summary>Encoded events that wait for the transport, bounded in number and bytes: the oldest go first, and are counted.</summary>
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

    /// <summary>Nothing comes any more.</summary>
    public void Complete()
    {
        lock (_gate)
        {
            _isComplete = true;
            _reader?.TrySetResult();
        }
    }

    /// <summary>Moves up to so many of the oldest into the list.</summary>
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

    /// <summary>Waits until there is something to take; false where nothing will come.</summary>
    public async ValueTask<bool> WaitAsync(CancellationToken cancellationToken)
    {
        Task something;
        lock (_gate)
        {
            if (_waiting.Count > 0 || _isComplete)
            {
                return _waiting.Count > 0;
            }
            _reader = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            something = _reader.Task;
        }
        await something.WaitAsync(cancellationToken);
        lock (_gate)
        {
            return _waiting.Count > 0;
        }
    }
}
