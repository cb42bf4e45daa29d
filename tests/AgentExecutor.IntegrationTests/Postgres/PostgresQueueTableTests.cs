using System.Globalization;
using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Postgres;

/// <summary>
/// The table of ready runs is correct whatever workers do concurrently, and a claim reads no more of it than it
/// takes.
/// </summary>
public sealed class PostgresQueueTableTests(PostgresFixture postgres) : IAsyncLifetime
{
    private static readonly TimeSpan Length = TimeSpan.FromMinutes(5);

    private PostgresSettings _settings = null!;
    private ThreadStore _store = null!;
    private PostgresServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await postgres.ServerAsync();
        _settings = await postgres.SchemaAsync();
        _store = await PostgresFixture.OpenAsync(_settings);
    }

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task Concurrent_workers_leave_no_run_behind_and_exceed_no_limit()
    {
        using var done = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var workers = Enumerable.Range(0, 4).Select(worker => Task.Run(() => WorkAsync(worker, done.Token), Cancel)).ToList();
        await Task.WhenAll(Enumerable.Range(0, 3).Select(sender => Task.Run(() => SendAsync(sender), Cancel)));

        var since = TimeProvider.System.GetTimestamp();
        while (await CountAsync("runs WHERE status IN ('pending', 'running')") > 0)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(since) < TimeSpan.FromSeconds(60), "a run was left behind");
            await AssertLimitsAsync();
        }
        await done.CancelAsync();
        await Task.WhenAll(workers);

        Assert.Equal(300, await CountAsync("runs WHERE status = 'completed'"));
        await _store.Queue!.ClaimAsync(new Lease("last", Length), 100, Cancel);
        Assert.Equal((0, 0, 0), (await CountAsync("queue"), await CountAsync("queue_openings"), await CountAsync("queue_keys")));
    }

    [Fact]
    public async Task The_ready_runs_are_those_that_may_run_after_every_change()
    {
        var random = new Random(7);
        var held = new List<ClaimedRun>();
        for (var step = 0; step < 120; step++)
        {
            switch (random.Next(6))
            {
                case < 3:
                    await SubmitAsync(
                        $"t{random.Next(8)}",
                        $"r{step}",
                        random.Next(3) > 0 ? $"k{random.Next(2)}" : null,
                        random.Next(10),
                        random.Next(8) == 0
                    );
                    break;
                case 3:
                    held.AddRange(
                        await _store.Queue!.ClaimAsync(
                            new Lease("w", random.Next(4) == 0 ? TimeSpan.Zero : Length),
                            random.Next(1, 4),
                            Cancel
                        )
                    );
                    break;
                case 4:
                    foreach (var lost in await _store.Queue!.RescueAsync([], TimeSpan.Zero, Cancel))
                    {
                        held.RemoveAll(run => run.Run.ThreadId == lost.ThreadId);
                    }
                    break;
                default:
                    if (held.Count > 0)
                    {
                        var run = held[random.Next(held.Count)];
                        held.Remove(run);
                        var ends = (RunStatus[])[RunStatus.Completed, RunStatus.Interrupted, RunStatus.Pending, RunStatus.Cancelled];
                        await EndAsync(run, ends[random.Next(ends.Length)]);
                    }
                    break;
            }
            await AssertTrueAsync(step);
        }
    }

    [Fact]
    public async Task A_claim_reads_as_much_of_the_queue_as_it_takes()
    {
        await _server.ExecuteAsync(
            $"""
            SET search_path TO {_settings.Schema};
            INSERT INTO definitions VALUES ('h', '[]');
            INSERT INTO threads (thread_id, run_id, fence, is_held, lease_until, status, attempt, last_sequence, is_queued,
              concurrency_key, name, trace_id, definition_hash, created_at, updated_at, usage)
            SELECT 'held' || i, 'r', 1, true, now() + interval '1 hour', 'running', 1, 0, true, 'k' || i, '', '', 'h', now(), now(), ''
              FROM generate_series(1, 2000) AS i;
            INSERT INTO threads (thread_id, run_id, fence, status, attempt, last_sequence, name, trace_id, definition_hash, created_at,
              updated_at, usage)
            SELECT 'full' || i, 'r', 0, 'pending', 0, 0, '', '', 'h', now(), now(), '' FROM generate_series(1, 2000) AS i;
            INSERT INTO runs (thread_id, run_id, status, name, trace_id, definition_hash, created_at, updated_at, usage, is_queued, input,
              concurrency_key)
            SELECT 'full' || i, 'r', 'pending', '', '', 'h', now(), now(), '', true, '', 'k' || i FROM generate_series(1, 2000) AS i;
            INSERT INTO runs (thread_id, run_id, status, name, trace_id, definition_hash, created_at, updated_at, usage, is_queued, input)
            SELECT 'held1', 'q' || i, 'pending', '', '', 'h', now(), now(), '', true, '' FROM generate_series(1, 2000) AS i;
            """
        );
        await SubmitAsync("free", "r", null, 9, isDelayed: false);

        Assert.Equal(["free"], (await _store.Queue!.ClaimAsync(new Lease("w", Length), 100, Cancel)).Select(it => it.Run.ThreadId));

        await using var source = new PostgresSource(_settings, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        await using var connection = await source.OpenAsync(Cancel);
        await using var transaction = await connection.BeginTransactionAsync(Cancel);
        var before = await ReadsAsync(connection);
        await connection.RunAsync("SELECT $schema.queue_advance(100)", [], Cancel);
        await connection.RunAsync(PostgresClaim.Due, [100L], Cancel);
        var reads = await ReadsAsync(connection) - before;
        Assert.True(reads < 60, $"{reads} rows were read where there is none to take");
    }

    [Fact]
    public async Task Rows_of_runs_that_cannot_be_claimed_are_repaired_and_do_not_block_other_runs()
    {
        var lease = new Lease("w", Length);
        foreach (var thread in (string[])["ended", "deleting", "next"])
        {
            await SubmitAsync(thread, "r", null, 5, isDelayed: false);
        }
        foreach (var claimed in await _store.Queue!.ClaimAsync(lease, 10, Cancel))
        {
            await EndAsync(claimed, RunStatus.Completed);
        }
        await SubmitAsync("deleting", "r2", null, 5, isDelayed: false);
        await SubmitAsync("next", "r2", null, 5, isDelayed: false);
        await SubmitAsync("good", "r", null, 9, isDelayed: false);
        await _server.ExecuteAsync(
            $"""
            SET search_path TO {_settings.Schema};
            UPDATE threads SET deletion_started_at = now() WHERE thread_id = 'deleting';
            DELETE FROM queue WHERE thread_id IN ('deleting', 'next');
            INSERT INTO queue (thread_id, run_id, priority, due_at, concurrency_limit, state)
            SELECT thread_id, run_id, 0, now() - interval '1 day', 1, 'ready'
            FROM (VALUES ('ended', 'r'), ('missing', 'r'), ('deleting', 'r2'), ('next', 'r'), ('ended2', 'r')) AS v (thread_id, run_id)
            """
        );

        var taken = new List<string>();
        for (var i = 0; i < 7; i++)
        {
            taken.AddRange((await _store.Queue.ClaimAsync(lease, 1, Cancel)).Select(it => $"{it.Run.ThreadId} {it.Run.RunId}"));
        }

        Assert.Equal(["next r2", "good r"], taken);
        Assert.Equal(0, await CountAsync("queue"));
        await _server.ExecuteAsync($"UPDATE {_settings.Schema}.threads SET deletion_started_at = NULL WHERE thread_id = 'deleting'");
        Assert.Equal("deleting", Assert.Single(await _store.Queue.ClaimAsync(lease, 10, Cancel)).Run.ThreadId);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The number of rows that the transaction has read from tables and indexes.</summary>
    private static async Task<long> ReadsAsync(PostgresConnection connection)
    {
        await using var command = connection.With(
            """
            SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables
            WHERE schemaname = '$schema' AND relname IN ('runs', 'threads', 'queue', 'queue_keys', 'queue_openings')
            """
        );
        return (long)(await command.ExecuteScalarAsync(Cancel))!;
    }

    /// <summary>
    /// Asserts that a thread that no worker holds has a row for its first waiting run, and that of each key as many runs are ready as its
    /// limit allows, the most urgent first.
    /// </summary>
    private async Task AssertTrueAsync(int step)
    {
        await _store.Queue!.ClaimAsync(new Lease("looks", Length), 0, Cancel); // This updates the rows without a claim.
        Assert.Equal(
            0,
            await CountAsync(
                """
                (SELECT thread_id, run_id FROM (
                    SELECT DISTINCT ON (r.thread_id) r.thread_id, r.run_id FROM runs AS r JOIN threads AS t USING (thread_id)
                    WHERE r.status = 'pending' AND r.is_queued AND NOT t.is_held ORDER BY r.thread_id, r.due_at, r.run_id) AS heads
                EXCEPT SELECT thread_id, run_id FROM queue) AS missing
                """
            )
        );
        Assert.Equal(
            await CountAsync("queue"),
            await CountAsync(
                "(SELECT DISTINCT r.thread_id FROM runs AS r JOIN threads AS t USING (thread_id) "
                    + "WHERE r.status = 'pending' AND r.is_queued AND NOT t.is_held) AS heads"
            )
        );
        Assert.Equal(0, await CountAsync("queue WHERE concurrency_key IS NULL AND state <> 'ready'"));
        var wrong = await CountAsync(
            """
            (SELECT q.*, row_number() OVER (PARTITION BY concurrency_key ORDER BY priority, due_at)
                    <= concurrency_limit - (SELECT count(*) FROM threads AS t WHERE t.concurrency_key = q.concurrency_key
                      AND t.is_held) AS may_run
                FROM queue AS q WHERE concurrency_key IS NOT NULL AND due_at <= now() - interval '1 second') AS q
            WHERE may_run <> (state = 'ready') AND NOT EXISTS (SELECT 1 FROM queue AS d WHERE d.concurrency_key = q.concurrency_key
              AND d.due_at > now() - interval '1 second')
            """
        );
        Assert.True(wrong == 0, $"step {step}: {wrong} runs of keys are in the wrong state");
    }

    private async Task AssertLimitsAsync() =>
        Assert.Equal(
            0,
            await CountAsync(
                "(SELECT concurrency_key FROM threads WHERE is_held AND concurrency_key IS NOT NULL "
                    + "GROUP BY 1 HAVING count(*) > 1 + right(concurrency_key, 1)::int) AS passed"
            )
        );

    private async Task WorkAsync(int worker, CancellationToken done)
    {
        var lease = new Lease($"w{worker}", Length);
        var random = new Random(worker);
        while (!done.IsCancellationRequested)
        {
            foreach (var run in await _store.Queue!.ClaimAsync(lease, 5, Cancel))
            {
                await EndAsync(run, random.Next(4) == 0 ? RunStatus.Pending : RunStatus.Completed);
            }
        }
    }

    private async Task SendAsync(int sender)
    {
        var random = new Random(100 + sender);
        for (var i = 0; i < 100; i++)
        {
            await SubmitAsync(
                $"t{random.Next(20)}",
                string.Create(CultureInfo.InvariantCulture, $"{sender}-{i}"),
                random.Next(4) > 0 ? $"k{random.Next(3)}" : null,
                random.Next(10),
                random.Next(10) == 0
            );
        }
    }

    /// <summary>The limit of a key is one more than its number.</summary>
    private async Task SubmitAsync(string thread, string id, string? key, int priority, bool isDelayed)
    {
        var now = TimeProvider.System.GetUtcNow();
        var run = new Run
        {
            ThreadId = thread,
            RunId = id,
            Name = "demo",
            DefinitionHash = "h",
            CreatedAt = now,
            UpdatedAt = now,
        };
        await _store.Queue!.SubmitAsync(
            [
                new RunSubmission(run, new StoredDefinition("h", "{}"u8.ToArray()), "{}"u8.ToArray())
                {
                    Priority = priority,
                    ConcurrencyKey = key,
                    ConcurrencyLimit = key is null ? 1 : key[^1] - '0' + 1,
                    Delay = isDelayed ? TimeSpan.FromMilliseconds(30) : TimeSpan.Zero,
                },
            ],
            null,
            Cancel
        );
    }

    private async Task EndAsync(ClaimedRun claimed, RunStatus status) =>
        await _store.Checkpoints.CommitAsync(
            new StepCommit
            {
                ThreadId = claimed.Run.ThreadId,
                Fence = claimed.Run.Fence,
                Run = claimed.Run with { Status = status, LastSequence = claimed.Run.LastSequence + 1 },
                Lease = new Lease("w", Length),
            },
            Cancel
        );

    private Task<long> CountAsync(string from) =>
        _server.QueryAsync<long>($"SET search_path TO {_settings.Schema}; SELECT count(*) FROM {from}");
}
