using AgentExecutor.Core.ModelLimits;

namespace AgentExecutor.Tests.ModelLimits;

public sealed class RateLimitTests
{
    private readonly FakeTime _time = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Requests_within_the_limit_start_at_once_and_others_as_the_bucket_refills()
    {
        var limit = new RateLimit(requestsPerMinute: 6, tokensPerMinute: 0, _time);
        for (var i = 0; i < 6; i++)
        {
            Assert.True(limit.TryTake(1_000_000));
        }
        Assert.False(limit.TryTake(1));

        var seventh = limit.TakeAsync(1, Cancel).AsTask();
        await _time.PassAsync(TimeSpan.FromSeconds(10));

        await seventh.WaitAsync(Eventually.Limit, Cancel);
    }

    [Fact]
    public void Tokens_are_corrected_after_the_call()
    {
        var limit = new RateLimit(requestsPerMinute: 0, tokensPerMinute: 1_000, _time);
        Assert.True(limit.TryTake(900));
        Assert.False(limit.TryTake(200));

        limit.Correct(taken: 900, used: 300);
        Assert.True(limit.TryTake(700));

        limit.Correct(taken: 700, used: 1_700);
        _time.Advance(TimeSpan.FromSeconds(59)); // the debt of one minute
        Assert.False(limit.TryTake(1));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.True(limit.TryTake(1));
    }

    [Fact]
    public void A_request_above_one_minutes_amount_takes_that_amount_and_the_rest_after_the_call()
    {
        var limit = new RateLimit(requestsPerMinute: 0, tokensPerMinute: 1_000, _time);
        Assert.True(limit.TryTake(5_000));
        Assert.False(limit.TryTake(1));
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.True(limit.TryTake(5_000));

        limit.Correct(taken: 5_000, used: 2_000);
        _time.Advance(TimeSpan.FromSeconds(59));
        Assert.False(limit.TryTake(1));

        limit.Correct(taken: 5_000, used: 0);
        Assert.True(limit.TryTake(950));
    }

    [Fact]
    public async Task A_waiting_call_continues_as_soon_as_the_missing_amount_is_returned()
    {
        var limit = new RateLimit(requestsPerMinute: 1, tokensPerMinute: 1_000, _time);
        Assert.True(limit.TryTake(900));
        var next = limit.TakeAsync(900, Cancel).AsTask();
        Assert.False(next.IsCompleted);

        limit.Return(900);
        await next.WaitAsync(Eventually.Limit, Cancel);
        var third = limit.TakeAsync(900, Cancel).AsTask();
        limit.Correct(taken: 900, used: 100); // there are enough tokens, but no request
        Assert.False(third.IsCompleted);
        await _time.PassAsync(TimeSpan.FromMinutes(1));

        await third.WaitAsync(Eventually.Limit, Cancel);
    }

    [Fact]
    public async Task An_implausible_count_delays_calls_for_at_most_an_hour()
    {
        var limit = new RateLimit(requestsPerMinute: 0, tokensPerMinute: 0.001, _time);
        Assert.True(limit.TryTake(1));
        limit.Correct(taken: 1, used: long.MaxValue);

        var next = limit.TakeAsync(1, Cancel).AsTask();
        await _time.PassAsync(TimeSpan.FromMinutes(61));

        await next.WaitAsync(Eventually.Limit, Cancel);
    }

    [Fact]
    public async Task Waiting_calls_are_served_in_order_regardless_of_their_size()
    {
        var limit = new RateLimit(requestsPerMinute: 0, tokensPerMinute: 60, _time);
        Assert.True(limit.TryTake(60));
        var large = limit.TakeAsync(30, Cancel).AsTask();
        var small = limit.TakeAsync(1, Cancel).AsTask();
        Assert.False(limit.TryTake(1));

        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.False(small.IsCompleted);
        await _time.PassAsync(TimeSpan.FromSeconds(28));
        await large.WaitAsync(Eventually.Limit, Cancel);
        await _time.PassAsync(TimeSpan.FromSeconds(1));

        await small.WaitAsync(Eventually.Limit, Cancel);
    }

    [Fact]
    public async Task A_cancelled_wait_does_not_delay_others()
    {
        var limit = new FairLimit(1);
        Assert.True(limit.TryEnter());
        using var impatient = new CancellationTokenSource();
        var first = limit.EnterAsync(impatient.Token).AsTask();
        var second = limit.EnterAsync(Cancel).AsTask();
        var third = limit.EnterAsync(Cancel).AsTask();

        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        limit.Leave();
        await second.WaitAsync(Eventually.Limit, Cancel);
        Assert.False(third.IsCompleted);
        limit.Leave();
        await third.WaitAsync(Eventually.Limit, Cancel);
        limit.Leave();

        Assert.True(limit.TryEnter());
        Assert.False(limit.TryEnter());
    }
}
