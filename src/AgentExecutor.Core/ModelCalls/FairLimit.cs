namespace AgentExecutor.Core.ModelCalls;

/// <summary>Lets so many in at once; the others wait in the order in which they came.</summary>
public sealed class FairLimit(int atOnce)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<TaskCompletionSource> _waiting = [];
    private int _free = atOnce;

    /// <summary>Enters where nobody has to wait.</summary>
    public bool TryEnter()
    {
        lock (_gate)
        {
            return _free > 0 && _free-- > 0; // where one is free nobody waits
        }
    }

    public async ValueTask EnterAsync(CancellationToken cancellationToken)
    {
        if (TryEnter())
        {
            return;
        }
        LinkedListNode<TaskCompletionSource> place;
        lock (_gate)
        {
            if (_free > 0)
            {
                _free--;
                return;
            }
            place = _waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        await using var giveUp = cancellationToken.UnsafeRegister((_, token) => GiveUp(place, token), null);
        await place.Value.Task;
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

    private void GiveUp(LinkedListNode<TaskCompletionSource> place, CancellationToken token)
    {
        lock (_gate)
        {
            if (place.List is not null) // else its turn has just come, and it leaves by itself
            {
                _waiting.Remove(place);
                place.Value.SetCanceled(token);
            }
        }
    }
}
