using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace AgentExecutor.IntegrationTests.Crash;

/// <summary>Outages, refusals and locks of PostgreSQL, with worker processes and with a store in this process.</summary>
public sealed class PostgresOutageTests : IAsyncLifetime
{
    private PostgresServer _server = null!;
    private PostgresSettings _settings = null!;

    public async ValueTask InitializeAsync()
    {
        PostgresFixture.SkipWithout();
        _server = await PostgresServer.StartAsync(alwaysOwn: true);
        _settings = PostgresFixture.Settings(_server) with { LockTimeoutSeconds = 0.3, PatienceSeconds = 30 };
        await AdapterCatalog.MigratePostgresAsync(_settings, null, TimeProvider.System, NullLoggerFactory.Instance, Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    [Fact]
    public async Task Runs_wait_for_a_server_that_crashed_and_continue()
    {
        const int Runs = 20;
        await using var fleet = Fleet.Start(_settings, _server, workers: 2);
        await fleet.SubmitCopiesAsync(fleet.Program.WriteFile("agent.json", CountingAgents.Team(fleet.Tool.Url, delayMs: 200)), Runs);
        for (var outage = 0; outage < 2; outage++)
        {
            await Wait.UntilAsync(async () => await fleet.CountAsync("SELECT count(*) FROM checkpoints") > 30 * (outage + 1));
            await _server.StopAsync("immediate");
            await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System, Cancel); // longer than a lease
            await _server.StartAgainAsync();
        }

        await fleet.AssertAllEndedOnceAsync(Runs);

        for (var i = 0; i < Runs; i++)
        {
            Assert.Equal(CountingAgents.Answer, await fleet.AnswerAsync($"r{i}"));
        }
        // Leases expired meanwhile, but no worker lost a run.
        Assert.Equal(0, await fleet.CountAsync("SELECT count(*) FROM threads WHERE attempt > 1"));
        Assert.All(fleet.Tool.Calls, call => Assert.Equal(1, call.Value));
        foreach (var worker in fleet.Workers)
        {
            var reports = worker.Lines.Count(line => line.Contains("\"event_id\":1100", StringComparison.Ordinal));
            Assert.InRange(reports, 2, 6); // The store and the bus each report an outage once, not at every attempt.
            var readiness = worker.Lines.Count(line => line.Contains("\"event_id\":1261", StringComparison.Ordinal));
            Assert.InRange(readiness, 1, 2); // once for each outage, even if the reason changes
            Assert.Contains(worker.Lines, line => line.Contains("PostgreSQL is available again", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Runs_wait_for_a_server_that_refuses_writes()
    {
        await using var fleet = Fleet.Start(_settings, _server, workers: 1);
        await fleet.SubmitCopiesAsync(fleet.Program.WriteFile("agent.json", CountingAgents.Team(fleet.Tool.Url, delayMs: 100)), 5);
        await Wait.UntilAsync(async () => await fleet.CountAsync("SELECT count(*) FROM checkpoints") > 5);
        await fleet.ExecuteAsync("ALTER SYSTEM SET default_transaction_read_only = on");
        await fleet.ExecuteAsync("SELECT pg_reload_conf()");
        await Wait.UntilAsync(() => fleet.Workers[0].Lines.Any(line => line.Contains("read-only", StringComparison.Ordinal)));

        await fleet.ExecuteAsync("ALTER SYSTEM RESET default_transaction_read_only");
        await fleet.ExecuteAsync("SELECT pg_reload_conf()");

        await fleet.AssertAllEndedOnceAsync(5);
    }

    [Fact]
    public async Task Idle_connections_that_break_are_replaced()
    {
        await using var store = await PostgresFixture.OpenAsync(_settings);
        await Task.WhenAll(Enumerable.Range(0, 50).Select(i => store.Checkpoints.CommitAsync(Commit($"t{i}", 1), Cancel).AsTask()));
        for (var round = 2; round < 5; round++)
        {
            await _server.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'agent-executor'");
            await Task.WhenAll(Enumerable.Range(0, 50).Select(i => store.Checkpoints.CommitAsync(Commit($"t{i}", round), Cancel).AsTask()));
            Assert.Equal(round, (await store.Runs.FindAsync("t7", Cancel))!.Fence);
        }
    }

    [Fact]
    public async Task A_run_that_has_ended_stays_ended()
    {
        await using var store = await PostgresFixture.OpenAsync(_settings);
        var lease = new Lease("w", TimeSpan.FromMinutes(1));
        StepCommit Leased(RunStatus status, long sequence) =>
            Commit("ended", 1) with
            {
                Lease = lease,
                Run = Commit("ended", 1).Run! with { Status = status, LastSequence = sequence },
            };
        await store.Checkpoints.CommitAsync(Leased(RunStatus.Running, 1) with { Acquires = true }, Cancel);
        var end = Leased(RunStatus.Completed, 2);
        await store.Checkpoints.CommitAsync(end, Cancel);
        await store.Checkpoints.CommitAsync(end, Cancel); // repeated, as after a lost confirmation

        foreach (var status in (RunStatus[])[RunStatus.Pending, RunStatus.Failed, RunStatus.Running])
        {
            var fault = await Assert.ThrowsAsync<FaultException>(async () =>
                await store.Checkpoints.CommitAsync(Leased(status, 3), Cancel)
            );
            Assert.Equal(FaultCodes.LeaseLost, fault.Code);
        }
        Assert.Equal(RunStatus.Completed, (await store.Runs.FindAsync("ended", Cancel))!.Status);
        await store.Checkpoints.DeleteThreadAsync("ended", Cancel);
        await Assert.ThrowsAsync<FaultException>(async () => await store.Checkpoints.CommitAsync(Leased(RunStatus.Completed, 2), Cancel));
        Assert.Null(await store.Runs.FindAsync("ended", Cancel)); // A deleted thread is not created again.
    }

    [Fact]
    public async Task A_step_waits_no_longer_than_its_caller_allows()
    {
        await using var store = await PostgresFixture.OpenAsync(_settings with { PatienceSeconds = 0.5 });
        await store.Checkpoints.CommitAsync(Commit("t", 1), Cancel);
        await _server.StopAsync("immediate");

        var fault = await Assert.ThrowsAsync<FaultException>(async () => await store.Checkpoints.CommitAsync(Commit("t", 1), Cancel));
        Assert.Equal(FaultCodes.StoreUnavailable, fault.Code);
        using var impatient = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            await store.Checkpoints.CommitAsync(Commit("t", 1), impatient.Token)
        );

        await _server.StartAgainAsync();
        await store.Checkpoints.CommitAsync(Commit("t", 2), Cancel);
        Assert.Equal(2, (await store.Runs.FindAsync("t", Cancel))!.Fence);
    }

    [Fact]
    public async Task A_locked_thread_does_not_block_other_threads()
    {
        await using var store = await PostgresFixture.OpenAsync(_settings);
        await store.Checkpoints.CommitAsync(Commit("locked", 1), Cancel);
        await using var connection = new NpgsqlConnection($"{_server.ConnectionString};SearchPath={_settings.Schema}");
        await connection.OpenAsync(Cancel);
        await using var transaction = await connection.BeginTransactionAsync(Cancel);
        await using var command = new NpgsqlCommand("SELECT 1 FROM threads WHERE thread_id = 'locked' FOR UPDATE", connection);
        await command.ExecuteScalarAsync(Cancel);

        var locked = store.Checkpoints.CommitAsync(Commit("locked", 2), Cancel).AsTask();
        await Task.WhenAll(Enumerable.Range(0, 50).Select(i => store.Checkpoints.CommitAsync(Commit($"free{i}", 1), Cancel).AsTask()));
        Assert.False(locked.IsCompleted, locked.Exception?.ToString());
        await transaction.CommitAsync(Cancel);

        await locked;
        Assert.Equal(2, (await store.Runs.FindAsync("locked", Cancel))!.Fence);
    }

    [Fact]
    public async Task A_refused_statement_fails_only_its_own_thread()
    {
        await using var store = await PostgresFixture.OpenAsync(_settings);
        var poison = Commit("poison", 1) with
        {
            Checkpoint = new StoredCheckpoint
            {
                ThreadId = "poison",
                Namespace = "",
                Id = "c",
                Channels = [new("nul \0", 1)],
                Due = "[]"u8.ToArray(),
            },
        };
        var good = Enumerable.Range(0, 20).Select(i => store.Checkpoints.CommitAsync(Commit($"good{i}", 1), Cancel).AsTask()).ToList();

        var fault = await Assert.ThrowsAsync<FaultException>(async () => await store.Checkpoints.CommitAsync(poison, Cancel));

        Assert.Equal(FaultCodes.StoreRefused, fault.Code);
        await Task.WhenAll(good);
        Assert.Null(await store.Runs.FindAsync("poison", Cancel));
    }

    [Fact]
    public async Task A_missing_schema_is_reported_with_the_command_that_creates_it()
    {
        var fault = await Assert.ThrowsAsync<FaultException>(() => PostgresFixture.OpenAsync(_settings with { Schema = "nothing_here" }));

        Assert.Equal(FaultCodes.StoreUnavailable, fault.Code);
        Assert.Contains("agent-executor migrate", fault.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_server_is_reported_at_once_without_the_password()
    {
        var fault = await Assert.ThrowsAsync<FaultException>(() =>
            PostgresFixture.OpenAsync(_settings with { Port = 1, Password = new Secret("hunter2") })
        );

        Assert.Equal(FaultCodes.StoreUnavailable, fault.Code);
        Assert.DoesNotContain("hunter2", fault.ToString(), StringComparison.Ordinal);
        Assert.Contains("POSTGRES_HOST", fault.Hint, StringComparison.Ordinal);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static StepCommit Commit(string thread, long fence) =>
        new()
        {
            ThreadId = thread,
            Fence = fence,
            Run = new Run
            {
                ThreadId = thread,
                RunId = "r",
                DefinitionHash = "h",
                Status = RunStatus.Running,
                Fence = fence,
                Attempt = 1,
                CreatedAt = Now,
                UpdatedAt = Now,
            },
        };

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();
}
