using System.Collections.Concurrent;
using AgentExecutor.Core.Workers;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Tests.Workers;

public sealed class RestartedLoopTests : IDisposable
{
    private readonly FakeTime _time = new();
    private readonly Failures _log = new();
    private readonly CancellationTokenSource _stopping = new();

    public void Dispose() => _stopping.Dispose();

    [Fact]
    public async Task The_delay_before_a_restart_doubles_up_to_thirty_seconds()
    {
        var runs = 0;
        var running = new RestartedLoop("probe", _ => throw new InvalidOperationException($"failure {++runs}"), _time, _log).RunAsync(
            _stopping.Token
        );

        foreach (var seconds in (double[])[1, 2, 4, 8, 16, 30, 30])
        {
            await _time.PassAsync(TimeSpan.FromSeconds(seconds));
        }
        await Eventually.True(() => Task.FromResult(_log.Lines.Count == 8));

        Assert.Equal(
            [
                .. new[] { "1", "2", "4", "8", "16", "30", "30", "30" }.Select(
                    (seconds, i) => $"The loop 'probe' failed. It is started again in {seconds} s: failure {i + 1}"
                ),
            ],
            _log.Lines
        );
        await StopAsync(running);
    }

    [Fact]
    public async Task The_delay_is_one_second_again_after_the_loop_has_run_for_a_minute()
    {
        var runs = 0;
        var running = new RestartedLoop(
            "probe",
            async cancellationToken =>
            {
                if (++runs == 3)
                {
                    await Task.Delay(TimeSpan.FromMinutes(1), _time, cancellationToken);
                }
                throw new InvalidOperationException("failure");
            },
            _time,
            _log
        ).RunAsync(_stopping.Token);

        foreach (var seconds in (double[])[1, 2, 60, 1])
        {
            await _time.PassAsync(TimeSpan.FromSeconds(seconds));
        }

        await Eventually.True(() => Task.FromResult(_log.Lines.Count == 4));
        Assert.EndsWith(" 2 s: failure", _log.Lines.Last(), StringComparison.Ordinal); // the fourth run failed at once
        await StopAsync(running);
    }

    [Fact]
    public async Task A_loop_that_is_cancelled_ends_without_a_failure()
    {
        var running = new RestartedLoop(
            "probe",
            cancellationToken => Task.Delay(Timeout.InfiniteTimeSpan, _time, cancellationToken),
            _time,
            _log
        ).RunAsync(_stopping.Token);

        await StopAsync(running);

        Assert.Empty(_log.Lines);
    }

    [Fact]
    public async Task An_unexpected_cancellation_is_a_failure()
    {
        var running = new RestartedLoop("probe", _ => throw new TaskCanceledException("its own timeout"), _time, _log).RunAsync(
            _stopping.Token
        );

        await Eventually.True(() => Task.FromResult(_log.Lines.Count == 1));

        Assert.EndsWith(": its own timeout", _log.Lines.Single(), StringComparison.Ordinal);
        await StopAsync(running);
    }

    [Fact]
    public async Task A_loop_that_waits_for_its_restart_ends_when_it_is_cancelled()
    {
        var runs = 0;
        var running = new RestartedLoop("probe", _ => throw new InvalidOperationException($"failure {++runs}"), _time, _log).RunAsync(
            _stopping.Token
        );
        await Eventually.True(() => Task.FromResult(_time.IsWaitedFor));

        await StopAsync(running);

        Assert.Equal(1, runs);
    }

    private async Task StopAsync(Task running)
    {
        await _stopping.CancelAsync();
        await running.WaitAsync(Eventually.Limit, TestContext.Current.CancellationToken);
    }

    private sealed class Failures : ILogger
    {
        private readonly ConcurrentQueue<string> _lines = [];

        public IReadOnlyCollection<string> Lines => [.. _lines];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => _lines.Enqueue($"{formatter(state, exception)}: {exception?.Message}");
    }
}
