namespace AgentExecutor.Core.ModelCalls;

/// <summary>
/// Leaves a server alone that has failed so many times in a row, whoever called it. It is in one of three states:
/// <code>
/// closed --so many failures in a row--> open --its time is over--> probed (one call tries it) --success--> closed
///                                        ^-------------------------------failure---'
/// </code>
/// </summary>
/// <param name="failures">How many in a row; 0 for never.</param>
/// <param name="openFor">How long it is left alone.</param>
public sealed class CircuitBreaker(int failures, TimeSpan openFor, TimeProvider time)
{
    private readonly Lock _gate = new();
    private TaskCompletionSource _changed = NewSignal();
    private int _failed;
    private long? _openedAt;
    private bool _isProbed;
    private int _openings;

    /// <summary>What a call would be told now.</summary>
    public BreakerEntry Look()
    {
        lock (_gate)
        {
            return Entry();
        }
    }

    /// <summary>Asks to make a call; where it is admitted its end must be told.</summary>
    public BreakerEntry TryEnter()
    {
        lock (_gate)
        {
            var entry = Entry();
            _isProbed |= entry.IsProbe;
            return entry;
        }
    }

    /// <summary>The server answered, if only to refuse: it is there.</summary>
    public void Succeeded()
    {
        lock (_gate)
        {
            _failed = 0;
            if (_openedAt is not null)
            {
                (_openedAt, _isProbed) = (null, false);
                Signal();
            }
        }
    }

    /// <param name="isProbe">The call was the one that tried it.</param>
    public void Failed(bool isProbe)
    {
        lock (_gate)
        {
            _failed++;
            if (isProbe || (_openedAt is null && failures > 0 && _failed >= failures))
            {
                (_openedAt, _isProbed) = (time.GetTimestamp(), false);
                _openings++;
                Signal();
            }
        }
    }

    /// <summary>The call ended and tells nothing of the server: another may try it.</summary>
    /// <param name="isProbe">The call was the one that tried it.</param>
    public void Abandoned(bool isProbe)
    {
        lock (_gate)
        {
            if (isProbe && _isProbed)
            {
                _isProbed = false;
                Signal();
            }
        }
    }

    private BreakerEntry Entry()
    {
        if (_openedAt is not { } openedAt)
        {
            return new BreakerEntry(true, false, default, _openings, _changed.Task);
        }
        var left = _isProbed ? Timeout.InfiniteTimeSpan : openFor - time.GetElapsedTime(openedAt);
        return _isProbed || left > TimeSpan.Zero
            ? new BreakerEntry(false, false, left, _openings, _changed.Task)
            : new BreakerEntry(true, true, default, _openings, _changed.Task);
    }

    private void Signal()
    {
        _changed.SetResult();
        _changed = NewSignal();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>What a breaker says to a call.</summary>
/// <param name="IsAdmitted">It may be made.</param>
/// <param name="IsProbe">It is the one that tries a server that was left alone.</param>
/// <param name="Wait">How long until it is worth asking again; infinite while another tries the server.</param>
/// <param name="Opening">How often the server has been left alone so far.</param>
/// <param name="Changed">Ends when the breaker changes its state.</param>
public readonly record struct BreakerEntry(bool IsAdmitted, bool IsProbe, TimeSpan Wait, int Opening, Task Changed);
