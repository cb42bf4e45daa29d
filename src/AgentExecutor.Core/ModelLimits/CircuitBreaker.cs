namespace AgentExecutor.Core.ModelLimits;

/// <summary>
/// Stops calls to a server that has failed several times in a row, regardless of which runs made the calls. It has three states:
/// <code>
/// closed --several failures in a row--> open --time has elapsed--> half-open (one call probes the server) --success--> closed
///                                        ^----------------------------------failure---'
/// </code>
/// </summary>
/// <param name="failures">The number of consecutive failures that opens the breaker; 0 disables it.</param>
/// <param name="openFor">How long the breaker stays open.</param>
/// <param name="time">The source of time.</param>
public sealed class CircuitBreaker(int failures, TimeSpan openFor, TimeProvider time)
{
    private readonly Lock _gate = new();
    private TaskCompletionSource _changed = NewSignal();
    private int _failed;
    private long? _openedAt;
    private bool _isProbed;
    private int _openings;

    /// <summary>Returns what the breaker would answer to a call now, without changing its state.</summary>
    public BreakerEntry Peek()
    {
        lock (_gate)
        {
            return Entry();
        }
    }

    /// <summary>Requests permission for a call. The result of an admitted call must be reported.</summary>
    public BreakerEntry TryEnter()
    {
        lock (_gate)
        {
            var entry = Entry();
            _isProbed |= entry.IsProbe;
            return entry;
        }
    }

    /// <summary>Reports that the server answered. A refusal counts as an answer, because it shows that the server is available.</summary>
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

    /// <summary>Reports a failed call.</summary>
    /// <param name="isProbe">True if the call was the probe.</param>
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

    /// <summary>Reports a call that says nothing about the server. If it was the probe, another call can probe the server.</summary>
    /// <param name="isProbe">True if the call was the probe.</param>
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
        var remaining = _isProbed ? Timeout.InfiniteTimeSpan : openFor - time.GetElapsedTime(openedAt);
        return _isProbed || remaining > TimeSpan.Zero
            ? new BreakerEntry(false, false, remaining, _openings, _changed.Task)
            : new BreakerEntry(true, true, default, _openings, _changed.Task);
    }

    private void Signal()
    {
        _changed.SetResult();
        _changed = NewSignal();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>The answer of a breaker to a call.</summary>
/// <param name="IsAdmitted">True if the call can be made.</param>
/// <param name="IsProbe">True if the call probes a server after the breaker was open.</param>
/// <param name="Wait">The time after which to ask again; infinite while another call probes the server.</param>
/// <param name="Opening">How often the breaker has opened so far.</param>
/// <param name="Changed">Completes when the breaker changes its state.</param>
public readonly record struct BreakerEntry(bool IsAdmitted, bool IsProbe, TimeSpan Wait, int Opening, Task Changed);
