using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>
/// What all runs of a process pass on their way to one model server:
/// <list type="number">
/// <item>Where the server has asked for a pause, or is left alone because it failed, the call falls back or waits.</item>
/// <item>It waits for its share of the calls and tokens a minute.</item>
/// <item>It waits until it is one of so many at once.</item>
/// <item>Where the server got into trouble meanwhile, all is given back, and it begins anew.</item>
/// </list>
/// </summary>
/// <param name="name">Where the server is.</param>
/// <param name="random">Uniform in [0, 1): spreads the calls that waited for the same moment.</param>
public sealed class ModelGate(string name, ModelCallSettings settings, TimeProvider time, Func<double> random)
{
    /// <summary>The longest pause that a server may ask for before a call that can fall back does so.</summary>
    public static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly FairLimit? _calls = settings.MaxConcurrentCalls > 0 ? new FairLimit(settings.MaxConcurrentCalls) : null;
    private readonly RateLimit? _rate = settings.RequestsPerMinute > 0 || settings.TokensPerMinute > 0
        ? new RateLimit(settings.RequestsPerMinute, settings.TokensPerMinute, time) : null;
    private readonly CircuitBreaker _breaker = new(settings.BreakerFailures, TimeSpan.FromSeconds(settings.BreakerSeconds), time);
    private readonly Lock _pause = new();
    private long _pausedAt = time.GetTimestamp();
    private TimeSpan _pauseFor;
    private int _inside;

    /// <summary>Nobody is inside or waits.</summary>
    public bool IsIdle => Volatile.Read(ref _inside) == 0;

    /// <summary>When it was last held.</summary>
    internal long HeldAt { get; private set; }

    /// <summary>Counts one in who is about to enter, so that the gate is not taken for idle.</summary>
    internal void Hold()
    {
        Interlocked.Increment(ref _inside);
        HeldAt = time.GetTimestamp();
    }

    /// <summary>Waits for leave to make one call, for one who is counted in. The run holds no place at its worker while it waits.</summary>
    /// <param name="tokens">What the call may take, input and output.</param>
    /// <param name="timeLeft">What the run has left: no longer wait for the server is begun; null where another model can be asked, which is done at once.</param>
    /// <exception cref="FaultException"><see cref="FaultCodes.ModelUnavailable"/>: the server is left alone; <see cref="FaultCodes.ModelRateLimited"/>: it asked for a pause.</exception>
    public async ValueTask<ModelPermit> EnterAsync(long tokens, TimeSpan? timeLeft, RunSession session, CancellationToken cancellationToken)
    {
        ModelPermit? permit = null;
        try
        {
            int? opening = null;
            while (permit is null)
            {
                await PauseAsync(timeLeft, session, cancellationToken);
                opening = await PassBreakerAsync(opening, timeLeft, session, cancellationToken);
                permit = await TryPassLimitsAsync(tokens, session, cancellationToken);
            }
            return permit;
        }
        finally
        {
            if (permit is null)
            {
                Interlocked.Decrement(ref _inside);
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
            GiveBack(permit.Reserved, hasCall: true);
        }
        Interlocked.Decrement(ref _inside);
    }

    /// <summary>Null where the server got into trouble while the call waited.</summary>
    private async ValueTask<ModelPermit?> TryPassLimitsAsync(long tokens, RunSession session, CancellationToken cancellationToken)
    {
        if (_rate is not null && !_rate.TryTake(tokens))
        {
            await session.WaitAsync(token => _rate.TakeAsync(tokens, token), cancellationToken);
        }
        var (hasCall, entry) = (false, default(BreakerEntry));
        try
        {
            if (_calls is not null && !_calls.TryEnter())
            {
                await session.WaitAsync(_calls.EnterAsync, cancellationToken);
            }
            hasCall = true;
            if (PauseLeft() == TimeSpan.Zero)
            {
                entry = _breaker.TryEnter(); // last: who tries the server does so at once
            }
            return entry.IsAdmitted ? new ModelPermit(this, tokens, entry.IsProbe) : null;
        }
        finally
        {
            if (!entry.IsAdmitted)
            {
                GiveBack(tokens, hasCall);
            }
        }
    }

    private void GiveBack(long tokens, bool hasCall)
    {
        _rate?.GiveBack(tokens);
        if (hasCall)
        {
            _calls?.Leave();
        }
    }

    private async ValueTask PauseAsync(TimeSpan? timeLeft, RunSession session, CancellationToken cancellationToken)
    {
        while (PauseLeft() is { Ticks: > 0 } left)
        {
            if (timeLeft is null ? left > LongestPause : left >= timeLeft)
            {
                throw new FaultException(
                    FaultCodes.ModelRateLimited, $"{name} has asked for a pause, of which {left.TotalSeconds:0.#} s are left",
                    "ask it less often, see its rate limits; 'fallbacks' of a model name others to ask instead")
                {
                    IsTransient = timeLeft is not null,
                    RetryAfter = left,
                };
            }
            var wait = Pause.Of(left + TimeSpan.FromSeconds(Math.Min(1, left.TotalSeconds / 10) * random())); // not all at once
            await session.WaitAsync(token => new ValueTask(Task.Delay(wait, time, token)), cancellationToken);
        }
    }

    /// <summary>One wait for the breaker counts as one attempt: where the server is tried in vain meanwhile, this attempt has failed too.</summary>
    /// <param name="opening">The opening that was waited for before.</param>
    private async ValueTask<int?> PassBreakerAsync(int? opening, TimeSpan? timeLeft, RunSession session, CancellationToken cancellationToken)
    {
        while (_breaker.Look() is { IsAdmitted: false } entry)
        {
            if (timeLeft is null || entry.Wait >= timeLeft || (opening is { } before && entry.Opening != before))
            {
                throw new FaultException(
                    FaultCodes.ModelUnavailable, $"{name} has failed {settings.BreakerFailures} times in a row and is left alone for {settings.BreakerSeconds:0.#} s",
                    "see whether it is up; 'fallbacks' of a model name others to ask instead")
                {
                    IsTransient = timeLeft is not null,
                };
            }
            opening = entry.Opening;
            await session.WaitAsync(token => ChangeAsync(entry, token), cancellationToken);
        }
        return opening;
    }

    private async ValueTask ChangeAsync(BreakerEntry entry, CancellationToken cancellationToken)
    {
        try
        {
            await entry.Changed.WaitAsync(Pause.Of(entry.Wait), time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // its time is over: ask again
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
        var most = TimeSpan.FromSeconds(settings.MaxRetryAfterSeconds);
        var bounded = asked < most ? asked : most;
        lock (_pause)
        {
            if (bounded > _pauseFor - time.GetElapsedTime(_pausedAt))
            {
                (_pausedAt, _pauseFor) = (time.GetTimestamp(), bounded);
            }
        }
    }
}

/// <summary>Leave to make one call; what became of it is told before it is disposed of.</summary>
public sealed class ModelPermit : IDisposable
{
    private readonly ModelGate _gate;

    internal ModelPermit(ModelGate gate, long reserved, bool isProbe) => (_gate, Reserved, IsProbe) = (gate, reserved, isProbe);

    /// <summary>The tokens that it may take, by estimate.</summary>
    public long Reserved { get; }

    /// <summary>It tries a server that was left alone.</summary>
    public bool IsProbe { get; }

    /// <summary>The call was made; else all that was reserved for it goes back.</summary>
    public bool WasUsed { get; set; }

    /// <summary>The tokens that it took.</summary>
    public long Tokens { get; set; }

    /// <summary>What the call says of the server; null for nothing.</summary>
    public bool? IsServerUp { get; set; }

    /// <summary>The pause that the server asked for; null for none.</summary>
    public TimeSpan? RetryAfter { get; set; }

    public void Dispose() => _gate.Leave(this);
}
