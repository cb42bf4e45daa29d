using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>What all runs of a process pass on their way to one model server: calls at once, calls and tokens a minute, and the breaker.</summary>
public sealed class ModelGate(string name, ModelCallSettings settings, TimeProvider time)
{
    private readonly FairLimit? _calls = settings.MaxConcurrentCalls > 0 ? new FairLimit(settings.MaxConcurrentCalls) : null;
    private readonly RateLimit? _rate = settings.RequestsPerMinute > 0 || settings.TokensPerMinute > 0
        ? new RateLimit(settings.RequestsPerMinute, settings.TokensPerMinute, time) : null;
    private readonly CircuitBreaker _breaker = new(settings.BreakerFailures, TimeSpan.FromSeconds(settings.BreakerSeconds), time);
    private int _inside;

    /// <summary>Nobody is inside or waits.</summary>
    internal bool IsIdle => Volatile.Read(ref _inside) == 0;

    /// <summary>Waits for leave to make one call. The run holds no place at its worker while it waits.</summary>
    /// <param name="tokens">What the call may take, input and output.</param>
    /// <param name="timeLeft">What the run has left: a breaker that is open for longer is not waited for; null where nothing is, since another model can be asked.</param>
    /// <exception cref="FaultException"><see cref="FaultCodes.ModelUnavailable"/>: the breaker is open.</exception>
    internal async ValueTask<ModelPermit> EnterAsync(long tokens, TimeSpan? timeLeft, RunSession session, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _inside);
        var (hasCall, hasRate, isIn) = (false, false, false);
        try
        {
            if (_calls is not null && !_calls.TryEnter())
            {
                await session.WaitAsync(_calls.EnterAsync, cancellationToken);
            }
            hasCall = true;
            if (_rate is not null && !_rate.TryTake(tokens))
            {
                await session.WaitAsync(token => _rate.TakeAsync(tokens, token), cancellationToken);
            }
            hasRate = true;
            var isProbe = await PassBreakerAsync(timeLeft, session, cancellationToken); // last: who tries the server does so at once
            isIn = true;
            return new ModelPermit(this, tokens, isProbe);
        }
        finally
        {
            if (!isIn)
            {
                Leave(hasCall, hasRate ? tokens : 0, 0);
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
        Leave(true, permit.Reserved, permit.Used);
    }

    private void Leave(bool hasCall, long reserved, long used)
    {
        _rate?.Correct(reserved, used);
        if (hasCall)
        {
            _calls?.Leave();
        }
        Interlocked.Decrement(ref _inside);
    }

    /// <summary>One wait for the breaker counts as one attempt: where the server is tried in vain meanwhile, this attempt has failed too.</summary>
    private async ValueTask<bool> PassBreakerAsync(TimeSpan? timeLeft, RunSession session, CancellationToken cancellationToken)
    {
        var hasWaited = false;
        while (true)
        {
            var entry = _breaker.TryEnter();
            if (entry.IsAdmitted)
            {
                return entry.IsProbe;
            }
            if (timeLeft is null || entry.Wait >= timeLeft || (hasWaited && entry.Wait != Timeout.InfiniteTimeSpan))
            {
                throw new FaultException(
                    FaultCodes.ModelUnavailable, $"{name} has failed {settings.BreakerFailures} times in a row and is left alone for {settings.BreakerSeconds:0.#} s",
                    "see whether it is up; 'fallbacks' of a model name others to ask instead")
                {
                    IsTransient = timeLeft is not null,
                };
            }
            hasWaited |= entry.Wait != Timeout.InfiniteTimeSpan;
            await session.WaitAsync(token => ChangeAsync(entry, token), cancellationToken);
        }
    }

    private async ValueTask ChangeAsync(BreakerEntry entry, CancellationToken cancellationToken)
    {
        try
        {
            await entry.Changed.WaitAsync(entry.Wait, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // its time is over: ask again
        }
    }
}

/// <summary>Leave to make one call; what became of it is told before it is disposed of.</summary>
internal sealed class ModelPermit(ModelGate gate, long reserved, bool isProbe) : IDisposable
{
    public long Reserved => reserved;

    public bool IsProbe => isProbe;

    /// <summary>The tokens that it took.</summary>
    public long Used { get; set; }

    /// <summary>What the call says of the server; null for nothing.</summary>
    public bool? IsServerUp { get; set; }

    public void Dispose() => gate.Leave(this);
}
