namespace AgentExecutor.Core.ModelCalls;

/// <summary>
/// So many requests and so many tokens a minute, in the manner of a token bucket: a full minute's worth at once, then as they flow back. Those who wait
/// go in the order in which they came. What is taken is an estimate, and is corrected once it is known.
/// </summary>
/// <param name="requestsPerMinute">0 for no limit.</param>
/// <param name="tokensPerMinute">0 for no limit.</param>
public sealed class RateLimit(double requestsPerMinute, double tokensPerMinute, TimeProvider time)
{
    private readonly FairLimit _turn = new(1);
    private readonly Lock _gate = new();
    private readonly Bucket _requests = new(requestsPerMinute);
    private readonly Bucket _tokens = new(tokensPerMinute);
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
            while (Take(tokens) is { } wait)
            {
                await Task.Delay(wait, time, cancellationToken);
            }
        }
        finally
        {
            _turn.Leave();
        }
    }

    /// <summary>Gives back what was taken too much, or takes what was too little.</summary>
    public void Correct(long taken, long used)
    {
        lock (_gate)
        {
            Fill();
            _tokens.Add(taken - used);
        }
    }

    /// <summary>Null where it was taken; else how long to wait before it is worth another look.</summary>
    private TimeSpan? Take(long tokens)
    {
        lock (_gate)
        {
            Fill();
            var seconds = Math.Max(_requests.SecondsUntil(1), _tokens.SecondsUntil(tokens));
            if (seconds > 0)
            {
                return TimeSpan.FromMilliseconds(Math.Ceiling(seconds * 1_000));
            }
            _requests.Add(-1);
            _tokens.Add(-tokens);
            return null;
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

    /// <summary>May be in debt: what is larger than a minute's worth is let through when the bucket is full.</summary>
    private sealed class Bucket(double perMinute)
    {
        private readonly double _most = perMinute;
        private double _level = perMinute;

        public void Flow(double seconds) => Add(_most * seconds / 60);

        public void Add(double amount) => _level = Math.Min(_most, _level + amount);

        public double SecondsUntil(double amount) => _most == 0 ? 0 : (Math.Min(amount, _most) - _level) * 60 / _most;
    }
}
