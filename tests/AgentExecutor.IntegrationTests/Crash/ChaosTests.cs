using System.Globalization;
using AgentExecutor.Adapters;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Jobs;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace AgentExecutor.IntegrationTests.Crash;

/// <summary>
/// Everything at once: jobs through two workers while workers, PostgreSQL and NATS are killed, stopped and started again at random. <c>CHAOS_JOBS</c>, <c>CHAOS_SECONDS</c> and
/// <c>CHAOS_SEED</c> make it longer, or repeat it; <c>scripts/chaos.sh</c> sets them.
/// </summary>
public sealed class ChaosTests : IAsyncLifetime
{
    private readonly int _jobs = Number("CHAOS_JOBS", 150);
    private readonly int _seconds = Number("CHAOS_SECONDS", 12);
    private readonly int _seed = Number("CHAOS_SEED", 1);
    private readonly Dictionary<string, int> _committed = [];
    private PostgresServer _postgres = null!;
    private NatsServer _nats = null!;
    private Fleet _fleet = null!;
    private JobBus _bus = null!;

    public async ValueTask InitializeAsync()
    {
        PostgresFixture.SkipWithout();
        NatsFixture.SkipWithout();
        _postgres = await PostgresServer.StartAsync(alwaysOwn: true);
        var settings = PostgresFixture.Settings(_postgres);
        await AdapterCatalog.MigratePostgresAsync(settings, null, TimeProvider.System, NullLoggerFactory.Instance, Cancel);
        _nats = await NatsServer.StartOwnAsync();
        _bus = new JobBus(_nats);
        _fleet = Fleet.Start(settings, _postgres, workers: 2, _nats);
    }

    public async ValueTask DisposeAsync()
    {
        await _fleet.DisposeAsync();
        await _bus.DisposeAsync();
        NpgsqlConnection.ClearAllPools();
        await _nats.DisposeAsync();
        await _postgres.DisposeAsync();
    }

    [Fact]
    public async Task Whatever_dies_each_job_gives_one_result_and_no_finished_call_is_made_again()
    {
        TestContext.Current.SendDiagnosticMessage("seed {0}, {1} jobs, {2} s", _seed, _jobs, _seconds);
        var random = new Random(_seed);
        var sending = SendAsync();
        for (var until = TimeProvider.System.GetUtcNow().AddSeconds(_seconds); TimeProvider.System.GetUtcNow() < until;)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(200, 1_500)), TimeProvider.System, Cancel);
            await StrikeAsync(random);
        }
        await sending;

        await Fleet.EventuallyAsync(
            async () => (await _bus.ResultsAsync()).Count >= _jobs && await ConsumerState.LeftAsync(_nats) == 0
                && await _fleet.CountAsync("SELECT count(*) FROM outbox WHERE announced_at IS NULL") == 0,
            async () => $"seed {_seed}: {(await _bus.ResultsAsync()).Count} results, {await ConsumerState.LeftAsync(_nats)} messages left, "
                + await _fleet.QueryAsync<string>("SELECT string_agg(status || ' ' || n, ', ') FROM (SELECT status, count(*) AS n FROM threads GROUP BY status) AS s"),
            seconds: 60 + (_jobs / 10.0));

        var results = await _bus.ResultsAsync();
        Assert.True(_jobs == results.Count, $"seed {_seed}: {results.Count} results of {_jobs} jobs");
        Assert.Equal(_jobs, results.Select(it => it.Job).Distinct().Count());
        Assert.All(results, it => Assert.Equal("completed", it.Status));
        Assert.Empty(await _bus.ReadAsync(BusStream.DeadLetters));
        Assert.Equal(0, await _fleet.CountAsync("SELECT count(*) FROM threads WHERE is_held OR status <> 'completed'"));
        Assert.Equal(await _fleet.CountAsync("SELECT sum((usage::json -> 'tokens' ->> 'total_tokens')::bigint)::bigint FROM threads"), await _fleet.CountAsync("SELECT tokens FROM budgets"));
        Assert.Equal(0, await _fleet.CountAsync("SELECT count(*) FROM budget_reservations"));
        Assert.Equal(_jobs, _fleet.Tool.Calls.Count);
        Assert.All(_committed, call => Assert.True(call.Value == _fleet.Tool.Calls[call.Key], $"seed {_seed}: a finished call was made again"));
    }

    private async Task SendAsync()
    {
        var definition = CrashDefinition.Once(_fleet.Tool.Url, "idempotent").Replace("{\"text\"", "{\"delay_ms\": 20, \"text\"", StringComparison.Ordinal)
            .Replace("{\"name\": \"once\"", """{"name": "once", "budget": {"definition": {"tokens": 1000000000}}""", StringComparison.Ordinal);
        for (var i = 0; i < _jobs; i++)
        {
            await _bus.SendAsync(JobBus.Job($"j{i}", definition));
            await Task.Delay(TimeSpan.FromSeconds(0.8 * _seconds / _jobs), TimeProvider.System, Cancel);
        }
    }

    private async Task StrikeAsync(Random random)
    {
        switch (random.Next(6))
        {
            case 0 or 1:
                await _fleet.KillAsync(_fleet.Workers[random.Next(_fleet.Workers.Count)]);
                await KeepCommittedAsync();
                _fleet.StartWorker();
                break;
            case 2:
                var leaving = _fleet.Workers[random.Next(_fleet.Workers.Count)];
                _fleet.StartWorker();
                await _fleet.StopAsync(leaving);
                await KeepCommittedAsync();
                break;
            case 3:
                await _postgres.StopAsync("immediate");
                await Task.Delay(TimeSpan.FromMilliseconds(random.Next(1_500)), TimeProvider.System, Cancel);
                await _postgres.StartAgainAsync();
                break;
            default:
                await _nats.KillAsync();
                await Task.Delay(TimeSpan.FromMilliseconds(random.Next(1_500)), TimeProvider.System, Cancel);
                await _nats.StartAgainAsync();
                break;
        }
    }

    /// <summary>Calls whose outcome is stored now must not be made after this.</summary>
    private async Task KeepCommittedAsync()
    {
        foreach (var (call, count) in await _fleet.CommittedCallsAsync())
        {
            _committed.TryAdd(call, count);
        }
    }

    private static int Number(string name, int otherwise) =>
        Environment.GetEnvironmentVariables()[name] is string { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
}
