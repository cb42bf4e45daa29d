using AgentExecutor.Core;
using AgentExecutor.Core.ModelCalls;
using AgentExecutor.Core.ModelLimits;

namespace AgentExecutor.Tests.ModelCalls;

public sealed class ModelRetryTests
{
    private static readonly FaultException Away = new(FaultCodes.ModelUnavailable, "away") { IsTransient = true };
    private static readonly FaultException Throttled = new(FaultCodes.ModelRateLimited, "slow down") { IsTransient = true };

    [Fact]
    public void Delays_double_up_to_a_maximum_and_are_randomised()
    {
        Assert.Equal([0.25, 0.5, 1, null], Waits(Away, 4, random: 0));
        Assert.Equal([0.5, 1, 2, null], Waits(Away, 4, random: 1));
        Assert.Equal([0.25, 0.5, 1, 2, 4, 8, 10, 10, 10, null], Waits(Throttled, 10, random: 0));
    }

    [Fact]
    public void A_throttled_call_gets_more_attempts_and_a_failing_one_in_between_does_not()
    {
        var retry = new ModelRetry(new ModelCallSettings());

        var goesOn = new[] { Throttled, Away, Throttled, Away, Throttled, Away, Throttled, Away }.Select(fault =>
            retry.After(fault, TimeSpan.MaxValue, 0) is not null
        );

        Assert.Equal([true, true, true, true, true, true, true, false], goesOn);
    }

    [Theory]
    [InlineData(30, 30.0)]
    [InlineData(300, 300.0)]
    [InlineData(301, null)]
    public void The_delay_that_the_server_asks_for_is_waited_up_to_a_maximum(double asked, double? waited) =>
        Assert.Equal(waited, Waits(Asking(asked), 1, random: 0)[0]);

    [Fact]
    public void Retries_are_never_earlier_than_requested_and_are_spread()
    {
        Assert.Equal(30.5, Waits(Asking(30), 1, random: 0.5)[0]);
        Assert.Equal([0.01, 0.01, 0.01, 2], Waits(Asking(0.01), 4, random: 0)); // a server that asks for a negligible delay
    }

    [Fact]
    public void No_delay_is_started_that_exceeds_the_remaining_time_of_the_run()
    {
        Assert.Null(new ModelRetry(new ModelCallSettings()).After(Asking(30), TimeSpan.FromSeconds(30), 0));
        Assert.NotNull(new ModelRetry(new ModelCallSettings()).After(Asking(30), TimeSpan.FromSeconds(31), 0));
    }

    [Fact]
    public void A_permanent_fault_is_not_retried() =>
        Assert.Null(
            new ModelRetry(new ModelCallSettings()).After(
                new FaultException(FaultCodes.ModelRateLimited, "the quota is used up"),
                TimeSpan.MaxValue,
                0
            )
        );

    private static FaultException Asking(double seconds) =>
        new(FaultCodes.ModelRateLimited, "slow down") { IsTransient = true, RetryAfter = TimeSpan.FromSeconds(seconds) };

    private static List<double?> Waits(FaultException fault, int failures, double random)
    {
        var retry = new ModelRetry(new ModelCallSettings());
        return [.. Enumerable.Range(0, failures).Select(_ => retry.After(fault, TimeSpan.MaxValue, random)?.TotalSeconds)];
    }
}
