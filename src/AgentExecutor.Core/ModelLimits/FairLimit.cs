namespace AgentExecutor.Core.ModelLimits;

/// <summary>Limits the number of concurrent entries. Others wait in the order of their arrival.</summary>
public sealed class FairLimit(int maxConcurrent)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<TaskCompletionSource> _waiting = [];
    private int _free = maxConcurrent;

    /// <summary>Enters if this is possible without waiting.</summary>
    public bool TryEnter()
    {
        lock (_gate)
        {
            return _free > 0 && _free-- > 0; // if an entry is free, nothing waits
        }
    }

    public async ValueTask EnterAsync(CancellationToken cancellationToken)
    {
        if (TryEnter())
        {
            return;
        }
        LinkedListNode<TaskCompletionSource> waiter;
        lock (_gate)
        {
            if (_free > 0)
            {
                _free--;
                return;
            }
            waiter = _waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        await using var registration = cancellationToken.UnsafeRegister((_, token) => CancelWait(waiter, token), null);
        await waiter.Value.Task;
    }

    public void Leave()
    {
        lock (_gate)
        {
            if (_waiting.First is not { } next)
            {
                _free++;
                return;
            }
            _waiting.RemoveFirst();
            next.Value.SetResult();
        }
    }

    private void CancelWait(LinkedListNode<TaskCompletionSource> waiter, CancellationToken token)
    {
        lock (_gate)
        {
            // A waiter that is no longer in the list has just been admitted and leaves by itself.
            if (waiter.List is not null)
            {
                _waiting.Remove(waiter);
                waiter.Value.SetCanceled(token);
            }
        }
    }
}
