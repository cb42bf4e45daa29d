using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace AgentExecutor.IntegrationTests.Crash;

/// <summary>PostgreSQL goes away, comes back, refuses and blocks, under real workers and under a store of this process.</summary>
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
    public async Task Runs_wait_for_a_server_that_crashed_and_go_on()
    {
        const int Runs = 20;
        await using var fleet = Fleet.Start(_settings, _server, workers: 2);
        await fleet.SubmitCopiesAsync(fleet.Program.WriteFile("agent.json", CrashDefinition.Team(fleet.Tool.Url, delayMs: 200)), Runs);
        for (var outage = 0; outage < 2; outage++)
        {
            await Fleet.EventuallyAsync(async () => await fleet.CountAsync("SELECT count(*) FROM checkpoints") > 30 * (outage + 1));
            await _server.StopAsync("immediate");
            await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System, Cancel); // longer than a lease
            await _server.StartAgainAsync();
        }

        await fleet.AssertAllEndedOnceAsync(Runs);

        for (var i = 0; i < Runs; i++)
        {
            Assert.Equal(CrashDefinition.Answer, await WorkerCrashTests.AnswerAsync(fleet, $"r{i}"));
        }
        Assert.Equal(0, await fleet.CountAsync("SELECT count(*) FROM threads WHERE attempt > 1")); // leases ran out meanwhile, and yet nobody lost a run
        Assert.All(fleet.Tool.Calls, call => Assert.Equal(1, call.Value));
        foreach (var worker in fleet.Workers)
        {
            Assert.InRange(worker.Lines.Count(line => line.Contains("PostgreSQL is not available", StringComparison.Ordinal)), 2, 6); // once an outage, not once a try
            Assert.Contains(worker.Lines, line => line.Contains("PostgreSQL is back", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Runs_wait_for_a_server_that_takes_no_writes()
    {
        await using var fleet = Fleet.Start(_settings, _server, workers: 1);
        await fleet.SubmitCopiesAsync(fleet.Program.WriteFile("agent.json", CrashDefinition.Team(fleet.Tool.Url, delayMs: 100)), 5);
        await Fleet.EventuallyAsync(async () => await fleet.CountAsync("SELECT count(*) FROM checkpoints") > 5);
        await fleet.ExecuteAsync("ALTER SYSTEM SET default_transaction_read_only = on");
        await fleet.ExecuteAsync("SELECT pg_reload_conf()");
        await Fleet.EventuallyAsync(() => Task.FromResult(fleet.Workers[0].Lines.Any(line => line.Contains("read-only", StringComparison.Ordinal))));

        await fleet.ExecuteAsync("ALTER SYSTEM RESET default_transaction_read_only");
        await fleet.ExecuteAsync("SELECT pg_reload_conf()");

        await fleet.AssertAllEndedOnceAsync(5);
    }

    [Fact]
    public async Task Connections_that_break_while_idle_are_made_anew()
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
        StepCommit Leased(RunStatus status, long sequence) => Commit("ended", 1) with
        {
            Lease = lease,
            Run = Commit("ended", 1).Run! with { Status = status, LastSequence = sequence },
        };
        await store.Checkpoints.CommitAsync(Leased(RunStatus.Running, 1) with { Acquires = true }, Cancel);
        var end = Leased(RunStatus.Completed, 2);
        await store.Checkpoints.CommitAsync(end, Cancel);
        await store.Checkpoints.CommitAsync(end, Cancel); // again, as when nobody heard that it took effect

        foreach (var status in (RunStatus[])[RunStatus.Pending, RunStatus.Failed, RunStatus.Running])
        {
            var fault = await Assert.ThrowsAsync<FaultException>(async () => await store.Checkpoints.CommitAsync(Leased(status, 3), Cancel));
            Assert.Equal(FaultCodes.LeaseLost, fault.Code);
        }
        Assert.Equal(RunStatus.Completed, (await store.Runs.FindAsync("ended", Cancel))!.Status);
        await store.Checkpoints.DeleteThreadAsync("ended", Cancel);
        await Assert.ThrowsAsync<FaultException>(async () => await store.Checkpoints.CommitAsync(Leased(RunStatus.Completed, 2), Cancel));
        Assert.Null(await store.Runs.FindAsync("ended", Cancel)); // what was deleted does not come back
    }

    [Fact]
    public async Task A_step_waits_only_so_long_as_its_caller_has_patience()
    {
        await using var store = await PostgresFixture.OpenAsync(_settings with { PatienceSeconds = 0.5 });
        await store.Checkpoints.CommitAsync(Commit("t", 1), Cancel);
        await _server.StopAsync("immediate");

        var fault = await Assert.ThrowsAsync<FaultException>(async () => await store.Checkpoints.CommitAsync(Commit("t", 1), Cancel));
        Assert.Equal(FaultCodes.StoreUnavailable, fault.Code);
        using var impatient = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await store.Checkpoints.CommitAsync(Commit("t", 1), impatient.Token));

        await _server.StartAgainAsync();
        await store.Checkpoints.CommitAsync(Commit("t", 2), Cancel);
        Assert.Equal(2, (await store.Runs.FindAsync("t", Cancel))!.Fence);
    }

    [Fact]
    public async Task A_locked_thread_holds_up_no_other()
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
    public async Task What_the_server_refuses_fails_alone()
    {
        await using var store = await PostgresFixture.OpenAsync(_settings);
        var poison = Commit("poison", 1) with
        {
            Checkpoint = new StoredCheckpoint { ThreadId = "poison", Namespace = "", Id = "c", Channels = [new("nul \0", 1)], Due = "[]"u8.ToArray() },
        };
        var good = Enumerable.Range(0, 20).Select(i => store.Checkpoints.CommitAsync(Commit($"good{i}", 1), Cancel).AsTask()).ToList();

        var fault = await Assert.ThrowsAsync<FaultException>(async () => await store.Checkpoints.CommitAsync(poison, Cancel));

        Assert.Equal(FaultCodes.StoreRefused, fault.Code);
        await Task.WhenAll(good);
        Assert.Null(await store.Runs.FindAsync("poison", Cancel));
    }

    [Fact]
    public async Task A_missing_schema_says_how_to_make_it()
    {
        var fault = await Assert.ThrowsAsync<FaultException>(() => PostgresFixture.OpenAsync(_settings with { Schema = "nothing_here" }));

        Assert.Equal(FaultCodes.StoreUnavailable, fault.Code);
        Assert.Contains("agent-executor migrate", fault.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_said_at_once_without_the_password()
    {
        var fault = await Assert.ThrowsAsync<FaultException>(
            () => PostgresFixture.OpenAsync(_settings with { Port = 1, Password = new Secret("hunter2") }));

        Assert.Equal(FaultCodes.StoreUnavailable, fault.Code);
        Assert.DoesNotContain("hunter2", fault.ToString(), StringComparison.Ordinal);
        Assert.Contains("POSTGRES_HOST", fault.Hint, StringComparison.Ordinal);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static StepCommit Commit(string thread, long fence) => new()
    {
        ThreadId = thread,
        Fence = fence,
        Run = new Run { ThreadId = thread, RunId = "r", DefinitionHash = "h", Status = RunStatus.Running, Fence = fence, Attempt = 1, CreatedAt = Now, UpdatedAt = Now },
    };

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();
}
