namespace AgentExecutor.Core.ModelLimits;

/// <summary>
/// Limits requests and tokens per minute with token buckets: up to one minute's amount can be used at once, and the buckets refill
/// continuously. Waiting calls are served in the order of their arrival. The amount taken is an estimate, limited to one minute's amount,
/// and is corrected when the actual amount is known.
/// </summary>
/// <param name="requestsPerMinute">The number of requests per minute; 0 for no limit.</param>
/// <param name="tokensPerMinute">The number of tokens per minute; 0 for no limit.</param>
/// <param name="time">The source of time.</param>
public sealed class RateLimit(double requestsPerMinute, double tokensPerMinute, TimeProvider time)
{
    private readonly FairLimit _turn = new(1);
    private readonly Lock _gate = new();
    private readonly Bucket _requests = new(requestsPerMinute);
    private readonly Bucket _tokens = new(tokensPerMinute);
    private TaskCompletionSource _corrected = NewSignal();
    private long _filledAt = time.GetTimestamp();

    /// <summary>Takes one request with this number of tokens if there is enough room and no other call waits.</summary>
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

    /// <summary>Corrects the number of tokens after a call.</summary>
    /// <param name="taken">The number of tokens that was taken.</param>
    /// <param name="used">The number of tokens that was used.</param>
    public void Correct(long taken, long used) => Change(0, _tokens.Portion(taken) - used);

    /// <summary>Returns what was taken for a request that was not made.</summary>
    /// <param name="taken">The number of tokens that was taken.</param>
    public void Return(long taken) => Change(1, _tokens.Portion(taken));

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
        corrected.SetResult(); // the first waiter may have enough room now
    }

    /// <summary>Takes the amount and returns null, or returns what to wait for before trying again.</summary>
    private Shortage? Take(long tokens)
    {
        lock (_gate)
        {
            Fill();
            var seconds = Math.Max(_requests.SecondsUntil(1), _tokens.SecondsUntil(tokens));
            if (seconds > 0)
            {
                return new Shortage(
                    seconds < TimeSpan.MaxValue.TotalSeconds ? TimeSpan.FromSeconds(seconds) : TimeSpan.MaxValue,
                    _corrected.Task
                );
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
            await shortage.Corrected.WaitAsync(TimerDelay.Of(shortage.Wait), time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // The missing amount has been refilled.
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

    /// <summary>The level is negative if more was used than was taken.</summary>
    private sealed class Bucket(double perMinute)
    {
        /// <summary>Limits the debt, because reported numbers of tokens may be far too high.</summary>
        private const double MaxMinutesOwed = 60;

        private readonly double _max = perMinute;
        private double _level = perMinute;

        public void Flow(double seconds) => Add(_max * seconds / 60);

        public void Add(double amount) => _level = Math.Clamp(_level + amount, -_max * MaxMinutesOwed, _max);

        /// <summary>Limits an amount to one minute's worth, because a larger amount would never fit.</summary>
        public double Portion(double amount) => Math.Min(amount, _max);

        public double SecondsUntil(double amount) => _max == 0 ? 0 : (Portion(amount) - _level) * 60 / _max;
    }
}
