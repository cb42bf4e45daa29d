namespace AgentExecutor.Core.ModelCalls;

/// <summary>
/// So many requests and so many tokens a minute, in the manner of a token bucket: a full minute's worth at once, then as they flow back. Those who wait
/// go in the order in which they came. What is taken is an estimate, a minute's worth at most, and is corrected once it is known.
/// </summary>
/// <param name="requestsPerMinute">0 for no limit.</param>
/// <param name="tokensPerMinute">0 for no limit.</param>
public sealed class RateLimit(double requestsPerMinute, double tokensPerMinute, TimeProvider time)
{
    private readonly FairLimit _turn = new(1);
    private readonly Lock _gate = new();
    private readonly Bucket _requests = new(requestsPerMinute);
    private readonly Bucket _tokens = new(tokensPerMinute);
    private TaskCompletionSource _corrected = NewSignal();
    private long _filledAt = time.GetTimestamp();

    /// <summary>Takes one request of so many tokens where there is room and nobody waits.</summary>
    public bool TryTake(long tokens)
    {
        if (!_turn.TryEnter())
        {
            return false;
        }
        try
        {
            return Take(tokens) is null;
        }
        finally
        {
            _turn.Leave();
        }
    }

    public async ValueTask TakeAsync(long tokens, CancellationToken cancellationToken)
    {
        await _turn.EnterAsync(cancellationToken);
        try
        {
            while (Take(tokens) is { } shortage)
            {
                await PassesAsync(shortage, cancellationToken);
            }
        }
        finally
        {
            _turn.Leave();
        }
    }

    /// <summary>Gives back what was taken too much, or takes what was too little.</summary>
    /// <param name="taken">As it was asked for.</param>
    /// <param name="used">What it came to.</param>
    public void Correct(long taken, long used) => Change(0, _tokens.Portion(taken) - used);

    /// <summary>No request was made: all that was taken for it goes back.</summary>
    /// <param name="taken">As it was asked for.</param>
    public void GiveBack(long taken) => Change(1, _tokens.Portion(taken));

    private void Change(double requests, double tokens)
    {
        TaskCompletionSource corrected;
        lock (_gate)
        {
            Fill();
            _requests.Add(requests);
            _tokens.Add(tokens);
            (corrected, _corrected) = (_corrected, NewSignal());
        }
        corrected.SetResult(); // whoever waits at the head may have room by now
    }

    /// <summary>Null where it was taken; else what to wait for before it is worth another look.</summary>
    private Shortage? Take(long tokens)
    {
        lock (_gate)
        {
            Fill();
            var seconds = Math.Max(_requests.SecondsUntil(1), _tokens.SecondsUntil(tokens));
            if (seconds > 0)
            {
                return new Shortage(seconds < TimeSpan.MaxValue.TotalSeconds ? TimeSpan.FromSeconds(seconds) : TimeSpan.MaxValue, _corrected.Task);
            }
            _requests.Add(-1);
            _tokens.Add(-_tokens.Portion(tokens));
            return null;
        }
    }

    private async ValueTask PassesAsync(Shortage shortage, CancellationToken cancellationToken)
    {
        try
        {
            await shortage.Corrected.WaitAsync(Pause.Of(shortage.Wait), time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // what was lacking has flown back
        }
    }

    private void Fill()
    {
        var now = time.GetTimestamp();
        var seconds = time.GetElapsedTime(_filledAt, now).TotalSeconds;
        _filledAt = now;
        _requests.Flow(seconds);
        _tokens.Flow(seconds);
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed record Shortage(TimeSpan Wait, Task Corrected);

    /// <summary>May be in debt, where more was used than was taken.</summary>
    private sealed class Bucket(double perMinute)
    {
        /// <summary>What is owed grows no further: whoever counts for us may be wrong by far.</summary>
        private const double MostMinutesOwed = 60;

        private readonly double _most = perMinute;
        private double _level = perMinute;

        public void Flow(double seconds) => Add(_most * seconds / 60);

        public void Add(double amount) => _level = Math.Clamp(_level + amount, -_most * MostMinutesOwed, _most);

        /// <summary>What is larger than a minute's worth would never fit.</summary>
        public double Portion(double amount) => Math.Min(amount, _most);

        public double SecondsUntil(double amount) => _most == 0 ? 0 : (Portion(amount) - _level) * 60 / _most;
    }
}
