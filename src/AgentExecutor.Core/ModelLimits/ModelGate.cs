namespace AgentExecutor.Core.ModelLimits;

/// <summary>
/// Controls the calls of all runs of a process to one model server:
/// <list type="number">
/// <item>If the server asked for a pause, or the circuit breaker is open, the call falls back to another model or waits.</item>
/// <item>The call waits until the limits on calls and tokens per minute allow it.</item>
/// <item>The call waits until the limit on concurrent calls allows it.</item>
/// <item>If the server has failed in the meantime, the call returns what it took and starts again with the first step.</item>
/// </list>
/// </summary>
/// <param name="name">The name of the server.</param>
/// <param name="settings">The settings of model calls.</param>
/// <param name="time">The source of time.</param>
/// <param name="random">Returns numbers that are uniform in [0, 1). They spread the calls that waited for the same moment.</param>
public sealed class ModelGate(string name, ModelCallSettings settings, TimeProvider time, Func<double> random)
{
    /// <summary>The longest pause of a server that a call waits for if it can fall back to another model.</summary>
    public static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly FairLimit? _calls = settings.MaxConcurrentCalls > 0 ? new FairLimit(settings.MaxConcurrentCalls) : null;
    private readonly RateLimit? _rate =
        settings.RequestsPerMinute > 0 || settings.TokensPerMinute > 0
            ? new RateLimit(settings.RequestsPerMinute, settings.TokensPerMinute, time)
            : null;
    private readonly CircuitBreaker _breaker = new(settings.BreakerFailures, TimeSpan.FromSeconds(settings.BreakerSeconds), time);
    private readonly Lock _pause = new();
    private long _pausedAt = time.GetTimestamp();
    private TimeSpan _pauseFor;
    private int _users;

    /// <summary>True if no call uses the gate or waits for it.</summary>
    public bool IsIdle => Volatile.Read(ref _users) == 0;

    /// <summary>The time at which the gate was last requested.</summary>
    internal long HeldAt { get; private set; }

    /// <summary>Registers a call that is about to enter, so that the gate does not count as idle.</summary>
    internal void Hold()
    {
        Interlocked.Increment(ref _users);
        HeldAt = time.GetTimestamp();
    }

    /// <summary>
    /// Waits for permission to make one call. The call must have been registered with <see cref="Hold"/>. While it waits, the run releases
    /// its worker slot.
    /// </summary>
    /// <param name="tokens">The estimated number of input and output tokens of the call.</param>
    /// <param name="timeLeft">The remaining time of the run: the call does not wait longer than this for the server. Null if another model
    /// can be asked instead, which then happens at once.</param>
    /// <param name="wait">Waits on behalf of the run.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="FaultException">The circuit breaker is open (<see cref="FaultCodes.ModelUnavailable"/>), or the server asked for a
    /// pause (<see cref="FaultCodes.ModelRateLimited"/>).</exception>
    public async ValueTask<ModelPermit> EnterAsync(long tokens, TimeSpan? timeLeft, RunWait wait, CancellationToken cancellationToken)
    {
        ModelPermit? permit = null;
        try
        {
            int? opening = null;
            while (permit is null)
            {
                await WaitForPauseAsync(timeLeft, wait, cancellationToken);
                opening = await PassBreakerAsync(opening, timeLeft, wait, cancellationToken);
                permit = await TryPassLimitsAsync(tokens, wait, cancellationToken);
            }
            return permit;
        }
        finally
        {
            if (permit is null)
            {
                Interlocked.Decrement(ref _users);
            }
        }
    }

    internal void Leave(ModelPermit permit)
    {
        switch (permit.IsServerUp)
        {
            case true:
                _breaker.Succeeded();
                break;
            case false:
                _breaker.Failed(permit.IsProbe);
                break;
            default:
                _breaker.Abandoned(permit.IsProbe);
                break;
        }
        if (permit.RetryAfter is { } asked)
        {
            PauseFor(asked);
        }
        if (permit.WasUsed)
        {
            _rate?.Correct(permit.Reserved, permit.Tokens);
            _calls?.Leave();
        }
        else
        {
            ReturnTaken(permit.Reserved, hasCall: true);
        }
        Interlocked.Decrement(ref _users);
    }

    /// <summary>Returns null if the server failed while the call waited.</summary>
    private async ValueTask<ModelPermit?> TryPassLimitsAsync(long tokens, RunWait wait, CancellationToken cancellationToken)
    {
        if (_rate is not null && !_rate.TryTake(tokens))
        {
            await wait(token => _rate.TakeAsync(tokens, token), cancellationToken);
        }
        var (hasCall, entry) = (false, default(BreakerEntry));
        try
        {
            if (_calls is not null && !_calls.TryEnter())
            {
                await wait(_calls.EnterAsync, cancellationToken);
            }
            hasCall = true;
            if (PauseLeft() == TimeSpan.Zero)
            {
                entry = _breaker.TryEnter(); // this comes last, because a probe must call the server at once
            }
            return entry.IsAdmitted ? new ModelPermit(this, tokens, entry.IsProbe) : null;
        }
        finally
        {
            if (!entry.IsAdmitted)
            {
                ReturnTaken(tokens, hasCall);
            }
        }
    }

    private void ReturnTaken(long tokens, bool hasCall)
    {
        _rate?.Return(tokens);
        if (hasCall)
        {
            _calls?.Leave();
        }
    }

    private async ValueTask WaitForPauseAsync(TimeSpan? timeLeft, RunWait wait, CancellationToken cancellationToken)
    {
        while (PauseLeft() is { Ticks: > 0 } left)
        {
            if (timeLeft is null ? left > LongestPause : left >= timeLeft)
            {
                throw new FaultException(
                    FaultCodes.ModelRateLimited,
                    $"{name} asked for a pause, which ends in {left.TotalSeconds:0.#} s",
                    "make fewer calls or raise the server's rate limits; 'fallbacks' of a model are asked while it is unavailable"
                )
                {
                    IsTransient = timeLeft is not null,
                    RetryAfter = left,
                };
            }
            // A random addition spreads the calls that wait for the same pause.
            var pause = TimerDelay.Of(left + TimeSpan.FromSeconds(Math.Min(1, left.TotalSeconds / 10) * random()));
            await wait(token => new ValueTask(Task.Delay(pause, time, token)), cancellationToken);
        }
    }

    /// <summary>
    /// Waits for the circuit breaker. One wait counts as one attempt: if a probe fails in the meantime, this attempt has failed, too.
    /// </summary>
    /// <param name="opening">The opening of the breaker that the call has waited for before.</param>
    /// <param name="timeLeft">The remaining time of the run; null if another model can be asked.</param>
    /// <param name="wait">Waits on behalf of the run.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    private async ValueTask<int?> PassBreakerAsync(int? opening, TimeSpan? timeLeft, RunWait wait, CancellationToken cancellationToken)
    {
        while (_breaker.Peek() is { IsAdmitted: false } entry)
        {
            if (timeLeft is null || entry.Wait >= timeLeft || (opening is { } before && entry.Opening != before))
            {
                throw new FaultException(
                    FaultCodes.ModelUnavailable,
                    $"{name} has failed {settings.BreakerFailures} times in a row and is not called for {settings.BreakerSeconds:0.#} s",
                    "check whether it is available; 'fallbacks' of a model are asked while it is unavailable"
                )
                {
                    IsTransient = timeLeft is not null,
                };
            }
            opening = entry.Opening;
            await wait(token => ChangeAsync(entry, token), cancellationToken);
        }
        return opening;
    }

    private async ValueTask ChangeAsync(BreakerEntry entry, CancellationToken cancellationToken)
    {
        try
        {
            await entry.Changed.WaitAsync(TimerDelay.Of(entry.Wait), time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // The wait is over, so the breaker is asked again.
        }
    }

    private TimeSpan PauseLeft()
    {
        lock (_pause)
        {
            var left = _pauseFor - time.GetElapsedTime(_pausedAt);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    private void PauseFor(TimeSpan asked)
    {
        var max = TimeSpan.FromSeconds(settings.MaxRetryAfterSeconds);
        var bounded = asked < max ? asked : max;
        lock (_pause)
        {
            if (bounded > _pauseFor - time.GetElapsedTime(_pausedAt))
            {
                (_pausedAt, _pauseFor) = (time.GetTimestamp(), bounded);
            }
        }
    }
}

/// <summary>The permission to make one call. Its result must be set before it is disposed of.</summary>
public sealed class ModelPermit : IDisposable
{
    private readonly ModelGate _gate;

    internal ModelPermit(ModelGate gate, long reserved, bool isProbe) => (_gate, Reserved, IsProbe) = (gate, reserved, isProbe);

    /// <summary>The estimated number of tokens of the call.</summary>
    public long Reserved { get; }

    /// <summary>True if the call probes the server after the breaker was open.</summary>
    public bool IsProbe { get; }

    /// <summary>True if the call was made. Otherwise everything reserved for it is returned.</summary>
    public bool WasUsed { get; set; }

    /// <summary>The number of tokens that the call used.</summary>
    public long Tokens { get; set; }

    /// <summary>Whether the call shows that the server is available; null if it says nothing about it.</summary>
    public bool? IsServerUp { get; set; }

    /// <summary>The pause that the server asked for; null for none.</summary>
    public TimeSpan? RetryAfter { get; set; }

    public void Dispose() => _gate.Leave(this);
}
