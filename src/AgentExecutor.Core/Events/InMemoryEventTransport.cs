using System.Collections.Immutable;

namespace AgentExecutor.Core.Events;

/// <summary>
/// A transport within one process, which connects the instances created by <see cref="Join"/>. An outage can be simulated.
/// </summary>
public sealed class InMemoryEventTransport : IEventTransport
{
    private const int MaxKept = 4096;

    private readonly Server _server;
    private readonly Dictionary<string, (Action<StreamEvent> Receive, Action Restored)> _subscriptions = new(StringComparer.Ordinal);

    public InMemoryEventTransport()
        : this(new Server()) { }

    private InMemoryEventTransport(Server server)
    {
        _server = server;
        lock (server)
        {
            server.Clients.Add(this);
        }
    }

    public bool IsConnected => _server.Up.Task.IsCompleted;

    /// <summary>Creates an instance that represents another process.</summary>
    public InMemoryEventTransport Join() => new(_server);

    /// <summary>Starts or ends an outage for all instances. Kept events remain.</summary>
    public void SetConnected(bool isConnected)
    {
        lock (_server)
        {
            if (isConnected == IsConnected)
            {
                return;
            }
            if (!isConnected)
            {
                _server.Up = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                return;
            }
            _server.Up.SetResult();
            foreach (var (_, restored) in _server.Clients.SelectMany(client => client._subscriptions.Values))
            {
                restored();
            }
        }
    }

    public ValueTask<int> PublishAsync(IReadOnlyList<(string ThreadId, StreamEvent Event)> events, CancellationToken cancellationToken)
    {
        lock (_server)
        {
            ThrowIfDown();
            foreach (var (threadId, value) in events)
            {
                _server.Keep(threadId, value);
                foreach (var client in _server.Clients)
                {
                    if (client._subscriptions.TryGetValue(threadId, out var subscription))
                    {
                        subscription.Receive(value);
                    }
                }
            }
        }
        return ValueTask.FromResult(events.Count);
    }

    public Task ConnectedAsync(CancellationToken cancellationToken) => _server.Up.Task.WaitAsync(cancellationToken);

    public Task SubscribeAsync(string threadId, Action<StreamEvent> receive, Action restored, CancellationToken cancellationToken)
    {
        lock (_server)
        {
            _subscriptions[threadId] = (receive, restored);
            ThrowIfDown();
        }
        return Task.CompletedTask;
    }

    public void Unsubscribe(string threadId)
    {
        lock (_server)
        {
            _subscriptions.Remove(threadId);
        }
    }

    public ValueTask<ImmutableArray<StreamEvent>> ReadAsync(string threadId, long after, long upTo, CancellationToken cancellationToken)
    {
        lock (_server)
        {
            ThrowIfDown();
            return ValueTask.FromResult(_server.Read(threadId, after, upTo));
        }
    }

    public ValueTask DisposeAsync()
    {
        lock (_server)
        {
            _server.Clients.Remove(this);
        }
        return ValueTask.CompletedTask;
    }

    private void ThrowIfDown()
    {
        if (!IsConnected)
        {
            throw new FaultException(FaultCodes.StreamUnavailable, "the event transport is not connected", "it reconnects automatically")
            {
                IsTransient = true,
            };
        }
    }

    /// <summary>The state that all instances share. It is also their lock.</summary>
    private sealed class Server
    {
        private readonly Dictionary<string, SortedList<long, StreamEvent>> _streams = new(StringComparer.Ordinal);

        public Server() => Up.SetResult();

        public List<InMemoryEventTransport> Clients { get; } = [];

        public volatile TaskCompletionSource Up = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Keep(string threadId, StreamEvent value)
        {
            if (value.Sequence == 1)
            {
                _streams.Remove(threadId);
            }
            if (!_streams.TryGetValue(threadId, out var stream))
            {
                _streams[threadId] = stream = [];
            }
            if (stream.Count == 0 || stream.GetKeyAtIndex(stream.Count - 1) < value.Sequence)
            {
                stream.Add(value.Sequence, value);
            }
            if (stream.Count > MaxKept)
            {
                stream.RemoveAt(0);
            }
        }

        public ImmutableArray<StreamEvent> Read(string threadId, long after, long upTo) =>
            _streams.TryGetValue(threadId, out var stream)
                ? [.. stream.Values.Where(value => value.Sequence > after && value.Sequence <= upTo)]
                : [];
    }
}
