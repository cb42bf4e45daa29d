using AgentExecutor.Core.ModelCalls;

namespace AgentExecutor.Tests.ModelCalls;

public sealed class RateLimitTests
{
    private readonly FakeTime _time = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task So_many_requests_go_at_once_and_the_next_as_they_flow_back()
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
    public void Tokens_taken_too_much_come_back_and_too_little_are_taken_after()
    {
        var limit = new RateLimit(requestsPerMinute: 0, tokensPerMinute: 1_000, _time);
        Assert.True(limit.TryTake(900));
        Assert.False(limit.TryTake(200));

        limit.Correct(taken: 900, used: 300);
        Assert.True(limit.TryTake(700));

        limit.Correct(taken: 700, used: 1_700);
        _time.Advance(TimeSpan.FromSeconds(59)); // a debt of a minute
        Assert.False(limit.TryTake(1));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.True(limit.TryTake(1));
    }

    [Fact]
    public void A_request_larger_than_a_minutes_worth_takes_a_minutes_worth_and_the_rest_once_it_was_used()
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
    public async Task Who_waits_goes_as_soon_as_what_it_lacks_is_given_back()
    {
        var limit = new RateLimit(requestsPerMinute: 1, tokensPerMinute: 1_000, _time);
        Assert.True(limit.TryTake(900));
        var next = limit.TakeAsync(900, Cancel).AsTask();
        Assert.False(next.IsCompleted);

        limit.GiveBack(900);
        await next.WaitAsync(Eventually.Limit, Cancel);
        var third = limit.TakeAsync(900, Cancel).AsTask();
        limit.Correct(taken: 900, used: 100); // the tokens are there, the request is not
        Assert.False(third.IsCompleted);
        await _time.PassAsync(TimeSpan.FromMinutes(1));

        await third.WaitAsync(Eventually.Limit, Cancel);
    }

    [Fact]
    public async Task A_count_that_is_beyond_reason_holds_nobody_up_for_more_than_an_hour()
    {
        var limit = new RateLimit(requestsPerMinute: 0, tokensPerMinute: 0.001, _time);
        Assert.True(limit.TryTake(1));
        limit.Correct(taken: 1, used: long.MaxValue);

        var next = limit.TakeAsync(1, Cancel).AsTask();
        await _time.PassAsync(TimeSpan.FromMinutes(61));

        await next.WaitAsync(Eventually.Limit, Cancel);
    }

    [Fact]
    public async Task Those_who_wait_go_in_the_order_in_which_they_came_a_small_one_not_before_a_large_one()
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
    public async Task Who_gives_up_holds_nobody_up()
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
