using System.Threading.Channels;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// The commits that wait to be stored. A thread has at most one commit in flight, so its commits never share a batch and keep their order.
/// </summary>
internal sealed class CommitQueue
{
    private const int Capacity = 4096;
    private const int MaxBatch = 128;
    private const long MaxBytes = 16 << 20;

    private readonly Channel<WaitingCommit> _incoming = Channel.CreateBounded<WaitingCommit>(new BoundedChannelOptions(Capacity));
    private readonly Lock _gate = new();

    // The threads whose commits were taken and not yet released.
    private readonly HashSet<string> _inFlight = new(StringComparer.Ordinal);

    // Further commits of these threads, in order.
    private readonly List<WaitingCommit> _deferred = [];

    public ValueTask AddAsync(WaitingCommit waiting, CancellationToken cancellationToken) =>
        _incoming.Writer.WriteAsync(waiting, cancellationToken);

    /// <summary>Accepts no further commits.</summary>
    public void Complete() => _incoming.Writer.TryComplete();

    /// <summary>Waits until a commit was added. Returns false when the queue is complete and empty.</summary>
    public ValueTask<bool> WaitAsync() => _incoming.Reader.WaitToReadAsync();

    /// <summary>Moves the waiting commits to the list, at most one per thread, up to the size of a batch.</summary>
    public void Take(List<WaitingCommit> taken)
    {
        lock (_gate)
        {
            var bytes = 0L;
            var i = 0;
            while (i < _deferred.Count && taken.Count < MaxBatch && bytes < MaxBytes)
            {
                if (_inFlight.Add(_deferred[i].Commit.ThreadId))
                {
                    bytes += Take(_deferred[i], taken);
                    _deferred.RemoveAt(i);
                }
                else
                {
                    i++;
                }
            }
            while (taken.Count < MaxBatch && bytes < MaxBytes && _incoming.Reader.TryRead(out var waiting))
            {
                if (_inFlight.Add(waiting.Commit.ThreadId))
                {
                    bytes += Take(waiting, taken);
                }
                else
                {
                    _deferred.Add(waiting);
                }
            }
        }
    }

    /// <summary>Allows the next commits of these threads to be taken, and clears the list.</summary>
    public void Release(List<WaitingCommit> taken)
    {
        lock (_gate)
        {
            foreach (var waiting in taken)
            {
                _inFlight.Remove(waiting.Commit.ThreadId);
            }
        }
        taken.Clear();
    }

    /// <summary>Takes the commit and returns its size, unless its caller has stopped waiting.</summary>
    private long Take(WaitingCommit waiting, List<WaitingCommit> taken)
    {
        if (!waiting.TryTake())
        {
            _inFlight.Remove(waiting.Commit.ThreadId);
            return 0;
        }
        taken.Add(waiting);
        return waiting.Size;
    }
}
