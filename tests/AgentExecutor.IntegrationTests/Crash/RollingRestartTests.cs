using System.Text.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Crash;

/// <summary>
/// A rollout under load: each worker is replaced in turn, several times.
/// </summary>
public sealed class RollingRestartTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const int Workers = 2;
    private const int Rounds = 3;
    private const int ModelCalls = 10; // of the team

    private static readonly TimeSpan BetweenJobs = TimeSpan.FromMilliseconds(120);

    /// <summary>The time for the signal to reach a worker on a busy machine.</summary>
    private static readonly TimeSpan SignalTakes = TimeSpan.FromSeconds(2);

    private NatsServer _nats = null!;
    private JobBus _bus = null!;
    private Fleet _fleet = null!;

    public async ValueTask InitializeAsync()
    {
        NatsFixture.SkipWithout();
        var settings = await postgres.SchemaAsync();
        _nats = await NatsServer.StartOwnAsync();
        _bus = new JobBus(_nats);
        _fleet = Fleet.Start(settings, await postgres.ServerAsync(), workers: 0, _nats);
        // No worker dies, so no lease may expire, even on a busy machine.
        _fleet.Program.Variables["AGENT_EXECUTOR_WORKER_LEASE_SECONDS"] = "15";
        for (var i = 0; i < Workers; i++)
        {
            _fleet.StartWorker();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _fleet.DisposeAsync();
        await _bus.DisposeAsync();
        await _nats.DisposeAsync();
    }

    [Fact]
    public async Task No_call_is_lost_or_repeated_while_workers_are_replaced_in_turn()
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var sending = SendUntilAsync(enough.Token);
        await Wait.UntilAsync(async () => (await _bus.ResultsAsync()).Count > 0); // The load has started.
        var stopped = new List<(RunningProgram Worker, DateTimeOffset Signalled)>();
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var leaving in _fleet.Workers.ToList())
            {
                var next = _fleet.StartWorker();
                await Wait.UntilAsync(() => next.Lines.Any(line => line.Contains("\"event_id\":1000,", StringComparison.Ordinal)));
                stopped.Add((leaving, TimeProvider.System.GetUtcNow()));
                await _fleet.StopAsync(leaving);
            }
        }
        await enough.CancelAsync();
        var jobs = await sending;

        await Wait.UntilAsync(
            async () =>
                (await _bus.ResultsAsync()).Count >= jobs
                && await ConsumerState.LeftAsync(_nats) == 0
                && await _fleet.CountAsync("SELECT count(*) FROM outbox WHERE announced_at IS NULL") == 0,
            async () => $"{(await _bus.ResultsAsync()).Count} results of {jobs} jobs, {await ConsumerState.LeftAsync(_nats)} messages left"
        );

        Assert.True(jobs >= 10, $"only {jobs} jobs");
        var results = await _bus.ResultsAsync();
        Assert.Equal(
            Enumerable.Range(0, jobs).Select(i => $"j{i} completed").Order(),
            results.Select(it => $"{it.Job} {it.Status}").Order()
        );
        Assert.Empty(await _bus.ReadAsync(BusStream.DeadLetters));
        Assert.Equal(2 * jobs, _fleet.Tool.Calls.Count);
        Assert.All(_fleet.Tool.Calls, call => Assert.True(call.Value == 1, $"a tool call was made {call.Value} times"));
        Assert.Equal(0, await _fleet.CountAsync("SELECT count(*) FROM threads WHERE is_held OR status <> 'completed' OR crashes > 0"));
        var givenBack = await _fleet.CountAsync("SELECT sum(attempt - 1) FROM threads");
        Assert.True(givenBack > 0, "no run was given back: the test shows nothing");
        // A released run repeats one step at most. The usage counts committed calls, so none may be counted twice.
        Assert.All(
            results,
            it => Assert.Equal(ModelCalls, it.Data.GetProperty("result").GetProperty("usage").GetProperty("model_calls").GetInt32())
        );
        Assert.All(stopped, it => AssertTookNothingAfter(it.Worker, it.Signalled + SignalTakes));
    }

    private static void AssertTookNothingAfter(RunningProgram worker, DateTimeOffset signalled)
    {
        var lines = worker.Lines.Select(line => JsonElement.Parse(line)).ToList();
        Assert.Contains(lines, line => line.GetProperty("event_id").GetInt32() == 1002); // It shut down normally.
        Assert.DoesNotContain(
            lines,
            line => line.GetProperty("event_id").GetInt32() == 1003 && line.GetProperty("ts").GetDateTimeOffset() > signalled
        );
    }

    private async Task<int> SendUntilAsync(CancellationToken enough)
    {
        var definition = CountingAgents.Team(_fleet.Tool.Url, delayMs: 60);
        var jobs = 0;
        while (!enough.IsCancellationRequested)
        {
            await _bus.SendAsync(JobBus.Job($"j{jobs++}", definition));
            await Task.Delay(BetweenJobs, TimeProvider.System, enough).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        return jobs;
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
}
