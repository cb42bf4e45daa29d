using System.Diagnostics;
using AgentExecutor.Adapters;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.IntegrationTests.Servers;
using Npgsql;

namespace AgentExecutor.IntegrationTests.Postgres;

/// <summary>Blocks and interrupts deletions in one schema, and reads its rows.</summary>
internal sealed class DeletionBlocker(PostgresServer server, string schema)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static RunSubmission Submission(string threadId)
    {
        var now = TimeProvider.System.GetUtcNow();
        return new RunSubmission(
            new Run
            {
                ThreadId = threadId,
                RunId = "r",
                DefinitionHash = "h",
                CreatedAt = now,
                UpdatedAt = now,
            },
            new StoredDefinition("h", "{}"u8.ToArray()),
            "{}"u8.ToArray()
        );
    }

    /// <summary>Submits, executes and ends a run, which leaves rows in most tables.</summary>
    public static async Task EndAsync(ThreadStore store, string threadId)
    {
        var lease = new Lease("worker", TimeSpan.FromMinutes(5));
        var run = (await store.Queue!.SubmitAsync([Submission(threadId)], lease, Cancel))[0].Claimed!.Run;
        var step = new StepCommit
        {
            ThreadId = threadId,
            Fence = run.Fence,
            Run = run,
            Lease = lease,
        };
        await store.Checkpoints.CommitAsync(
            step with
            {
                Checkpoint = new StoredCheckpoint
                {
                    ThreadId = threadId,
                    Namespace = "",
                    Id = "c1",
                    Due = "[]"u8.ToArray(),
                },
                Events = new StoredEvents(1, "[]"u8.ToArray()),
            },
            Cancel
        );
        await store.Checkpoints.CommitAsync(step with { Run = run with { Status = RunStatus.Completed, LastSequence = 2 } }, Cancel);
    }

    /// <summary>Starts the deletion, cancels it while it waits for a row of the thread, and returns when it has ended.</summary>
    public async Task InterruptAsync(Func<CancellationToken, ValueTask> delete, string threadId)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        await using var locked = await LockAsync(threadId);
        var deleting = delete(stop.Token).AsTask();
        await WaitForBlockedAsync(locked);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => deleting);
    }

    /// <summary>Opens a transaction that locks the events of the thread.</summary>
    public async Task<NpgsqlConnection> LockAsync(string threadId)
    {
        var connection = new NpgsqlConnection(server.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand(
            $"BEGIN; SELECT FROM {schema}.events WHERE thread_id = '{threadId}' FOR UPDATE",
            connection
        );
        await command.ExecuteNonQueryAsync(Cancel);
        return connection;
    }

    /// <summary>Returns when a session waits for a lock that the connection holds.</summary>
    public async Task WaitForBlockedAsync(NpgsqlConnection holder)
    {
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < Limit)
        {
            if (await ScalarAsync($"SELECT count(*) FROM pg_stat_activity WHERE {holder.ProcessID} = ANY (pg_blocking_pids(pid))") > 0)
            {
                return;
            }
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Cancel);
        }
        Assert.Fail("nothing waits for the lock");
    }

    /// <summary>Terminates the sessions that wait for a lock of the connection, as the restart of a server does.</summary>
    public Task TerminateBlockedAsync(NpgsqlConnection holder) =>
        ScalarAsync(
            $"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {holder.ProcessID} = ANY (pg_blocking_pids(pid))"
        );

    public Task ExpireLeasesAsync() => ExecuteAsync("UPDATE threads SET lease_until = now() - interval '1 second' WHERE is_held");

    /// <summary>The number of rows of the thread in the schema.</summary>
    public Task<long> RowsOfAsync(string threadId)
    {
        string[] tables =
        [
            "threads",
            "runs",
            "checkpoints",
            "checkpoint_blobs",
            "checkpoint_writes",
            "events",
            "tool_calls",
            "outbox",
            "budget_reservations",
        ];
        var rows = string.Join(" UNION ALL ", tables.Select(table => $"SELECT 1 FROM {table} WHERE thread_id = '{threadId}'"));
        return ScalarAsync($"SELECT count(*) FROM ({rows}) AS found");
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var connection = await OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Cancel);
    }

    public async Task<long> ScalarAsync(string sql)
    {
        await using var connection = await OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (long)(await command.ExecuteScalarAsync(Cancel))!;
    }

    private async Task<NpgsqlConnection> OpenAsync()
    {
        var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(server.ConnectionString) { SearchPath = schema }.ConnectionString
        );
        await connection.OpenAsync(Cancel);
        return connection;
    }
}
