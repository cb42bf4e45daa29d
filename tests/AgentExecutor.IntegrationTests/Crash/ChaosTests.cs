using System.Globalization;
using AgentExecutor.Adapters;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace AgentExecutor.IntegrationTests.Crash;

/// <summary>
/// Two workers execute jobs while workers, PostgreSQL and NATS are killed, stopped and started again at random, workers
/// are suspended for longer than their lease, jobs are cancelled, and retention deletes ended threads. The variables <c>CHAOS_JOBS</c>,
/// <c>CHAOS_SECONDS</c> and <c>CHAOS_SEED</c> make the run longer or repeat it; <c>scripts/chaos.sh</c> sets them.
/// </summary>
public sealed class ChaosTests : IAsyncLifetime
{
    private readonly int _jobs = Number("CHAOS_JOBS", 150);
    private readonly int _seconds = Number("CHAOS_SECONDS", 12);
    private readonly int _seed = Number("CHAOS_SEED", 1);
    private readonly Dictionary<string, int> _committed = [];

    // Jobs whose cancellation the service confirmed.
    private readonly HashSet<string> _cancelled = new(StringComparer.Ordinal);
    private readonly HashSet<string> _doubtful = new(StringComparer.Ordinal); // Jobs whose cancellation got no answer.
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(2) };
    private int _sent;
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
        _fleet = Fleet.Start(
            settings,
            _postgres,
            workers: 2,
            _nats,
            ("AGENT_EXECUTOR_RETENTION_CHECKPOINTS", "1"),
            ("AGENT_EXECUTOR_RETENTION_SWEEP_SECONDS", "0.5")
        );
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _fleet.DisposeAsync();
        await _bus.DisposeAsync();
        NpgsqlConnection.ClearAllPools();
        await _nats.DisposeAsync();
        await _postgres.DisposeAsync();
    }

    [Fact]
    public async Task Each_job_gives_one_result_and_no_finished_call_is_repeated_whatever_fails()
    {
        TestContext.Current.SendDiagnosticMessage("seed {0}, {1} jobs, {2} s", _seed, _jobs, _seconds);
        var random = new Random(_seed);
        var sending = SendAsync();
        var until = TimeProvider.System.GetUtcNow().AddSeconds(_seconds);
        while (TimeProvider.System.GetUtcNow() < until)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(200, 1_500)), TimeProvider.System, Cancel);
            await StrikeAsync(random);
        }
        await sending;

        await Wait.UntilAsync(
            async () =>
                (await _bus.ResultsAsync()).Count >= _jobs
                && await ConsumerState.LeftAsync(_nats) == 0
                && await _fleet.CountAsync("SELECT count(*) FROM outbox WHERE announced_at IS NULL") == 0,
            async () =>
                $"seed {_seed}: {(await _bus.ResultsAsync()).Count} results, {await ConsumerState.LeftAsync(_nats)} messages left, "
                + await _fleet.QueryAsync<string>(
                    "SELECT string_agg(status || ' ' || n, ', ') FROM (SELECT status, count(*) AS n FROM threads GROUP BY status) AS s"
                ),
            seconds: 60 + (_jobs / 10.0)
        );

        var results = await _bus.ResultsAsync();
        Assert.True(_jobs == results.Count, $"seed {_seed}: {results.Count} results of {_jobs} jobs");
        Assert.Equal(_jobs, results.Select(it => it.Job).Distinct().Count());
        Assert.All(
            results,
            it =>
                Assert.True(
                    it.Status == (_cancelled.Contains(it.Job) ? "cancelled" : "completed")
                        || (it.Status == "cancelled" && _doubtful.Contains(it.Job)),
                    $"seed {_seed}: {it.Job} {it.Status}, and its cancellation was {(_cancelled.Contains(it.Job) ? "" : "not ")}accepted"
                )
        );
        Assert.Empty(await _bus.ReadAsync(BusStream.DeadLetters));
        Assert.Equal(
            0,
            await _fleet.CountAsync(
                "SELECT count(*) FROM threads WHERE is_held OR cancel_requested OR status NOT IN ('completed', 'cancelled')"
            )
        );
        Assert.Equal(
            await _fleet.CountAsync("SELECT sum((usage::json -> 'tokens' ->> 'total_tokens')::bigint)::bigint FROM threads"),
            await _fleet.CountAsync("SELECT tokens FROM budgets")
        );
        Assert.Equal(0, await _fleet.CountAsync("SELECT count(*) FROM budget_reservations"));
        Assert.InRange(_fleet.Tool.Calls.Count, results.Count(it => it.Status == "completed"), _jobs);
        Assert.All(
            _committed,
            call => Assert.True(call.Value == _fleet.Tool.Calls[call.Key], $"seed {_seed}: a finished call was made again")
        );
    }

    private async Task SendAsync()
    {
        var definition = CountingAgents
            .Once(_fleet.Tool.Url, "idempotent")
            .Replace("{\"text\"", "{\"delay_ms\": 20, \"text\"", StringComparison.Ordinal)
            .Replace(
                "{\"name\": \"once\"",
                """{"name": "once", "budget": {"definition": {"tokens": 1000000000}}""",
                StringComparison.Ordinal
            );
        for (var i = 0; i < _jobs; i++)
        {
            await _bus.SendAsync(JobBus.Job($"j{i}", definition));
            Volatile.Write(ref _sent, i + 1);
            await Task.Delay(TimeSpan.FromSeconds(0.8 * _seconds / _jobs), TimeProvider.System, Cancel);
        }
    }

    private async Task StrikeAsync(Random random)
    {
        switch (random.Next(10))
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
            case 4 or 5:
                await SuspendAsync(_fleet.Workers[random.Next(_fleet.Workers.Count)]);
                break;
            case 6 or 7:
                await CancelAsync(random);
                break;
            default:
                await _nats.KillAsync();
                await Task.Delay(TimeSpan.FromMilliseconds(random.Next(1_500)), TimeProvider.System, Cancel);
                await _nats.StartAgainAsync();
                break;
        }
    }

    /// <summary>
    /// Suspends a worker for longer than its lease. Another worker takes its runs, and the first must change nothing when it continues.
    /// </summary>
    private static async Task SuspendAsync(RunningProgram worker)
    {
        await worker.SignalAsync("STOP");
        await Task.Delay(TimeSpan.FromSeconds(3), TimeProvider.System, Cancel);
        await worker.SignalAsync("CONT");
    }

    /// <summary>Cancels some of the newest jobs, which may not have started, or may end at this moment.</summary>
    private async Task CancelAsync(Random random)
    {
        var worker = _fleet.Workers[random.Next(_fleet.Workers.Count)];
        for (var i = 0; i < 10 && worker.Lines.Any(line => line.Contains("\"event_id\":1202", StringComparison.Ordinal)); i++)
        {
            var job = $"j{Math.Max(0, Volatile.Read(ref _sent) - 1 - random.Next(5))}";
            try
            {
                using var response = await _http.PostAsync(new Uri($"{Fleet.Url(worker)}/threads/{job}/cancel"), null, Cancel);
                _ = response.IsSuccessStatusCode ? _cancelled.Add(job) : (int)response.StatusCode >= 500 && _doubtful.Add(job);
            }
            catch (Exception exception)
                when (exception is HttpRequestException || (exception is TaskCanceledException && !Cancel.IsCancellationRequested))
            {
                _doubtful.Add(job);
            }
        }
    }

    /// <summary>Records the committed calls, which must not be repeated.</summary>
    private async Task KeepCommittedAsync()
    {
        foreach (var (call, count) in await _fleet.CommittedCallsAsync())
        {
            _committed.TryAdd(call, count);
        }
    }

    private static int Number(string name, int otherwise) =>
        Environment.GetEnvironmentVariables()[name] is string { Length: > 0 } text
            ? int.Parse(text, CultureInfo.InvariantCulture)
            : otherwise;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
}
