using AgentExecutor.Core;
using AgentExecutor.Server.Hosting;

namespace AgentExecutor.Tests.Hosting;

public sealed class DependencyTests
{
    private static readonly CancellationToken Cancel = TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_reason_is_reported_until_the_dependency_is_available()
    {
        Exception? fault = new FaultException(FaultCodes.StoreUnavailable, "the schema is missing", "run migrate");
        var dependency = new Dependency(
            "postgres",
            true,
            _ => fault is null ? Task.CompletedTask : Task.FromException(fault),
            TimeProvider.System
        );
        Assert.False(dependency.IsUp);

        await dependency.ProbeAsync(Cancel);
        Assert.Equal("the schema is missing: run migrate", dependency.Reason);
        fault = null;
        await dependency.ProbeAsync(Cancel);
        Assert.Null(dependency.Reason);
        fault = new InvalidOperationException("broken");
        await dependency.ProbeAsync(Cancel);
        Assert.Equal("broken", dependency.Reason);
    }

    [Fact]
    public async Task A_probe_that_never_returns_is_neither_awaited_nor_started_twice()
    {
        var time = new FakeTime { SkipsUpTo = TimeSpan.FromSeconds(2) };
        var (asked, answer) = (0, new TaskCompletionSource());
        var dependency = new Dependency(
            "postgres",
            true,
            _ =>
            {
                asked++;
                return answer.Task;
            },
            time
        );

        await dependency.ProbeAsync(Cancel);
        await dependency.ProbeAsync(Cancel);

        Assert.Equal("it did not respond within 2 seconds", dependency.Reason);
        await Eventually.True(() => Task.FromResult(asked > 0)); // the probe starts on another thread, possibly after the timeout
        Assert.Equal(1, asked);
        answer.SetResult();
        await Eventually.True(() => Task.FromResult(dependency.IsUp));
    }

    [Fact]
    public void A_service_drains_before_it_shuts_down()
    {
        var time = new FakeTime();
        using var shutdown = new Shutdown(TimeSpan.FromSeconds(10), time);
        Assert.False(shutdown.Draining.IsCancellationRequested);

        shutdown.Begin();
        Assert.True(shutdown.Draining.IsCancellationRequested);
        time.Advance(TimeSpan.FromSeconds(9));
        Assert.False(shutdown.Stopping.IsCancellationRequested);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(shutdown.Stopping.IsCancellationRequested);
    }

    [Theory]
    [InlineData(10, 2)]
    [InlineData(0, 1)]
    public void A_second_signal_ends_the_delay_and_without_a_delay_the_first_signal_shuts_down(int delay, int signals)
    {
        using var shutdown = new Shutdown(TimeSpan.FromSeconds(delay), new FakeTime());
        for (var i = 1; i < signals; i++)
        {
            shutdown.Begin();
            Assert.False(shutdown.Stopping.IsCancellationRequested);
        }

        shutdown.Begin();

        Assert.True(shutdown.Draining.IsCancellationRequested);
        Assert.True(shutdown.Stopping.IsCancellationRequested);
    }
}
