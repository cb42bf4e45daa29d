using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Postgres;

/// <summary>The cost of a job according to the statistics of the server.</summary>
public sealed class PostgresScanTests(PostgresFixture postgres)
{
    private const int Jobs = 40;
    private const int Steps = 3;

    /// <summary>
    /// The limit for one job that is submitted, claimed, ended and announced alone; it uses one less. The run is looked up before it is
    /// inserted and by the insertion. The claim reads, checks and updates it. Its end updates it, and its outcome reads it. The
    /// queue is read twice for the next run.
    /// </summary>
    private const int MostScansOfRuns = 10;

    private static readonly Lease Lease = new("worker", TimeSpan.FromMinutes(5));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_job_costs_few_index_scans_and_its_steps_change_no_index()
    {
        var (server, settings) = (await postgres.ServerAsync(), await postgres.SchemaAsync());
        await server.ExecuteAsync(
            $"""
            SET search_path TO {settings.Schema};
            INSERT INTO threads (thread_id, run_id, fence, status, attempt, last_sequence, name, trace_id, definition_hash, created_at,
              updated_at, usage)
            SELECT 'old' || i, 'r', 1, 'completed', 1, 1, '', '', 'h', now(), now(), '' FROM generate_series(1, 20000) AS i;
            ANALYZE threads;
            """
        );
        await using (var store = await PostgresFixture.OpenAsync(settings))
        {
            for (var job = 0; job < Jobs; job++)
            {
                await RunAsync(store, $"t{job}");
            }
        }

        // A session reports its statistics when it ends.
        await Wait.UntilAsync(async () =>
            await SumAsync(server, settings, "runs", "n_tup_ins") == Jobs
            && await SumAsync(server, settings, "runs", "n_tup_upd") == 2 * Jobs
            && await SumAsync(server, settings, "outbox", "n_tup_ins + n_tup_upd") == 2 * Jobs
        );
        var scans = await SumAsync(server, settings, "runs", "idx_scan") / (double)Jobs;
        Assert.True(scans <= MostScansOfRuns, $"a job makes {scans} index scans of runs");
        Assert.Equal(
            0,
            await server.QueryAsync<long>(
                $"SELECT idx_scan FROM pg_stat_user_indexes WHERE schemaname = '{settings.Schema}' AND indexrelname = 'threads_listed'"
            )
        );
        Assert.True(
            await SumAsync(server, settings, "threads", "n_tup_hot_upd") >= Jobs * Steps * 9 / 10,
            "steps change indexes of threads"
        );
    }

    [Fact]
    public async Task A_long_queue_is_measured_without_reading_all_of_it()
    {
        var (server, settings) = (await postgres.ServerAsync(), await postgres.SchemaAsync());
        await server.ExecuteAsync(
            $"""
            SET search_path TO {settings.Schema};
            INSERT INTO queue (thread_id, run_id, priority, due_at, concurrency_limit, state)
            SELECT 't' || i, 'r', i % 2, now() - interval '1 hour', 1, 'ready' FROM generate_series(1, 50000) AS i;
            INSERT INTO queue (thread_id, run_id, priority, due_at, concurrency_key, concurrency_limit, state)
            SELECT 'f' || i, 'r', 5, now() - interval '2 hours', 'k', 1, 'full' FROM generate_series(1, 50000) AS i;
            ANALYZE queue;
            """
        );
        await using var source = new PostgresSource(settings, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        await using var connection = await source.OpenAsync(Cancel);
        await using var transaction = await connection.BeginTransactionAsync(Cancel);

        var measured = await PostgresBacklog.MeasureAsync(connection, Cancel);

        Assert.InRange(measured.RunnableJobs, 40_000, 60_000);
        Assert.InRange(measured.OldestWait, TimeSpan.FromMinutes(60), TimeSpan.FromMinutes(70));
        await using var reads = connection.With(
            "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables WHERE schemaname = '$schema'"
        );
        Assert.InRange((long)(await reads.ExecuteScalarAsync(Cancel))!, 0, 3 * PostgresBacklog.Counted);
    }

    private static async Task RunAsync(ThreadStore store, string id)
    {
        var now = TimeProvider.System.GetUtcNow();
        var submitted = new Run
        {
            ThreadId = id,
            RunId = "r",
            Name = "demo",
            DefinitionHash = "h",
            CreatedAt = now,
            UpdatedAt = now,
        };
        await store.Queue!.SubmitAsync(
            [new RunSubmission(submitted, new StoredDefinition("h", "{}"u8.ToArray()), "{}"u8.ToArray())],
            null,
            Cancel
        );
        var run = Assert.Single(await store.Queue.ClaimAsync(Lease, 1, Cancel)).Run;
        for (var step = 0; step < Steps; step++)
        {
            run = run with { LastSequence = run.LastSequence + 1 };
            await store.Checkpoints.CommitAsync(
                new StepCommit
                {
                    ThreadId = id,
                    Fence = run.Fence,
                    Run = run,
                    Lease = Lease,
                },
                Cancel
            );
        }
        run = run with { Status = RunStatus.Completed, LastSequence = run.LastSequence + 1 };
        await store.Checkpoints.CommitAsync(
            new StepCommit
            {
                ThreadId = id,
                Fence = run.Fence,
                Run = run,
                Lease = Lease,
                Result = new StoredResult(run.LastSequence, "{}"u8.ToArray()),
            },
            Cancel
        );
        Assert.Equal(1, await store.Outbox!.RelayAsync(10, (_, _) => Task.CompletedTask, Cancel));
    }

    private static Task<long> SumAsync(PostgresServer server, PostgresSettings settings, string table, string counters) =>
        server.QueryAsync<long>(
            $"SELECT {counters} FROM pg_stat_user_tables WHERE schemaname = '{settings.Schema}' AND relname = '{table}'"
        );
}
