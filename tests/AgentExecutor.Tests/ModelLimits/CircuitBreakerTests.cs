using AgentExecutor.Core.ModelLimits;

namespace AgentExecutor.Tests.ModelLimits;

public sealed class CircuitBreakerTests
{
    private static readonly TimeSpan OpenFor = TimeSpan.FromSeconds(15);

    private readonly FakeTime _time = new();
    private readonly CircuitBreaker _breaker;

    public CircuitBreakerTests() => _breaker = new CircuitBreaker(3, OpenFor, _time);

    [Fact]
    public void It_opens_after_consecutive_failures_and_a_success_resets_the_count()
    {
        Fail(2);
        _breaker.Succeeded();
        Fail(2);
        Assert.True(_breaker.TryEnter().IsAdmitted);

        Fail(1);

        var entry = _breaker.TryEnter();
        Assert.Equal((false, OpenFor), (entry.IsAdmitted, entry.Wait));
    }

    [Fact]
    public void One_call_probes_the_server_and_the_others_wait_for_it()
    {
        Fail(3);
        _time.Advance(OpenFor);

        Assert.True(_breaker.TryEnter() is { IsAdmitted: true, IsProbe: true });
        var other = _breaker.TryEnter();
        Assert.Equal((false, Timeout.InfiniteTimeSpan, false), (other.IsAdmitted, other.Wait, other.Changed.IsCompleted));

        _breaker.Succeeded();

        Assert.True(other.Changed.IsCompleted);
        Assert.True(_breaker.TryEnter() is { IsAdmitted: true, IsProbe: false });
    }

    [Fact]
    public void A_failed_probe_opens_it_again_for_the_same_time()
    {
        Fail(3);
        _time.Advance(OpenFor);
        var probe = _breaker.TryEnter();
        var other = _breaker.TryEnter();

        _breaker.Failed(probe.IsProbe);

        Assert.True(other.Changed.IsCompleted);
        Assert.Equal(OpenFor, _breaker.TryEnter().Wait);
    }

    [Fact]
    public void After_an_abandoned_probe_another_call_can_probe()
    {
        Fail(3);
        _time.Advance(OpenFor);
        Assert.True(_breaker.TryEnter().IsProbe);

        _breaker.Abandoned(isProbe: true);

        Assert.True(_breaker.TryEnter().IsProbe);
    }

    [Fact]
    public void Calls_that_started_before_it_opened_do_not_keep_it_open()
    {
        Fail(3);
        _time.Advance(TimeSpan.FromSeconds(10));
        Fail(5);

        Assert.Equal(TimeSpan.FromSeconds(5), _breaker.TryEnter().Wait);
        _breaker.Succeeded();
        Assert.True(_breaker.TryEnter().IsAdmitted);
    }

    [Fact]
    public void Zero_failures_disable_it()
    {
        var breaker = new CircuitBreaker(0, OpenFor, _time);
        for (var i = 0; i < 100; i++)
        {
            breaker.Failed(isProbe: false);
        }

        Assert.True(breaker.TryEnter().IsAdmitted);
    }

    private void Fail(int times)
    {
        for (var i = 0; i < times; i++)
        {
            _breaker.Failed(isProbe: false);
        }
    }
}
