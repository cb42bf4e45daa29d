using System.Buffers;

namespace AgentExecutor.Adapters.Connections;

/// <summary>
/// What waits to be written to one connection. Callers encode into one buffer while the writer sends the other, so that a write to the socket carries all
/// that came during the last one. Over <paramref name="limit"/> bytes, callers wait.
/// </summary>
internal sealed class OutgoingBuffer(int limit) : IDisposable
{
    private const int KeptCapacity = 4 * 1024 * 1024;

    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _ready = new(0);
    private ArrayBufferWriter<byte> _filling = new(16 * 1024);
    private ArrayBufferWriter<byte> _sending = new(16 * 1024);
    private TaskCompletionSource? _space;
    private Func<Exception>? _closed;

    /// <summary>False where the buffer is full: then <see cref="SpaceAsync"/>.</summary>
    /// <exception cref="Exception">The connection has ended: what <see cref="Close"/> was given makes it.</exception>
    public bool TryWrite<T>(in T frame, Action<IBufferWriter<byte>, T> encode, bool isUrgent = false)
    {
        lock (_gate)
        {
            if (_closed is not null)
            {
                throw _closed();
            }
            if (_filling.WrittenCount >= limit && !isUrgent)
            {
                return false;
            }
            var wasEmpty = _filling.WrittenCount == 0;
            encode(_filling, frame);
            if (wasEmpty)
            {
                _ready.Release();
            }
            return true;
        }
    }

    /// <summary>Returns when it may be worth another try.</summary>
    public Task SpaceAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_closed is not null || _filling.WrittenCount < limit)
            {
                return Task.CompletedTask;
            }
            _space ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _space.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>All that waits, for the one writer; it is valid until the next call.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> TakeAsync(CancellationToken cancellationToken)
    {
        await _ready.WaitAsync(cancellationToken);
        lock (_gate)
        {
            _sending = _sending.Capacity > KeptCapacity ? new ArrayBufferWriter<byte>(16 * 1024) : _sending;
            _sending.ResetWrittenCount();
            (_filling, _sending) = (_sending, _filling);
            _space?.TrySetResult();
            _space = null;
            return _sending.WrittenMemory;
        }
    }

    /// <param name="fault">Makes the exception for each caller who comes too late.</param>
    public void Close(Func<Exception> fault)
    {
        lock (_gate)
        {
            _closed ??= fault;
            _space?.TrySetResult();
            _space = null;
        }
    }

    /// <summary>After <see cref="Close"/>, when the writer has ended.</summary>
    public void Dispose() => _ready.Dispose();
}
