using System.Globalization;
using System.Text.RegularExpressions;
using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Conformance.Events;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Postgres;

public sealed partial class PostgresEventLogTests(PostgresFixture postgres) : EventLogContract
{
    private ThreadStore? _store;
    private PostgresSettings _settings = null!;

    [Fact]
    public async Task Watchers_learn_that_the_store_is_unavailable_and_delay_no_other_caller()
    {
        await using var source = new PostgresSource(_settings, NullLogger.Instance);
        await using var other = await source.OpenAsync(Cancel);
        await using var transaction = await other.BeginTransactionAsync(Cancel);
        await other.RunAsync("LOCK TABLE $schema.events IN ACCESS EXCLUSIVE MODE", [], Cancel);
        var reads = Enumerable.Range(0, 20).Select(_ => Log.ReadAsync("t", 0, 10, Cancel).AsTask()).ToArray();

        await Checkpoints.CommitAsync(
            new StepCommit
            {
                ThreadId = "t",
                Fence = 1,
                Run = new Run
                {
                    ThreadId = "t",
                    RunId = "r",
                    DefinitionHash = "h",
                },
            },
            Cancel
        );
        await Queue.RenewAsync(new Lease("worker", TimeSpan.FromMinutes(1)), [new HeldRun("t", 1)], Cancel);
        Assert.NotNull(await Runs.FindAsync("t", Cancel));
        Assert.All(reads, read => Assert.False(read.IsCompleted));

        foreach (var read in reads)
        {
            Assert.Equal(
                FaultCodes.StoreUnavailable,
                (await Assert.ThrowsAsync<FaultException>(() => read.WaitAsync(TimeSpan.FromSeconds(15), Cancel))).Code
            );
        }
    }

    [Fact]
    public async Task The_cost_of_a_page_is_independent_of_the_length_and_number_of_threads()
    {
        // There are no statistics, as in a new database with its first long thread.
        await using var source = new PostgresSource(_settings, NullLogger.Instance, hasBitmaps: false);
        await using var connection = await source.OpenAsync(Cancel);
        await connection.RunScriptAsync(Many, Cancel);

        await AssertReadsAtMostAsync(15, connection, PostgresEventLog.Page, "t", 2_000L, 10L);
        await AssertReadsAtMostAsync(15, connection, PostgresEventLog.Positions, (object)new[] { "t", "t7", "t9", "nobody" });
        await AssertReadsAtMostAsync(15, connection, PostgresEventLog.Changes, "t", new[] { "", "" }, new[] { "c1500", "c1501" });
    }

    public override async ValueTask DisposeAsync()
    {
        if (_store is not null)
        {
            await _store.DisposeAsync();
        }
        await base.DisposeAsync();
    }

    protected override async ValueTask<(IEventLog Log, ICheckpointStore Checkpoints, IRunStore Runs, IRunQueue Queue)> MakeAsync()
    {
        _settings = await postgres.SchemaAsync();
        _store = await PostgresFixture.OpenAsync(_settings);
        return (_store.Log, _store.Checkpoints, _store.Runs, _store.Queue!);
    }

    /// <summary>3,000 threads, one of which has 3,000 steps.</summary>
    private const string Many = """
        INSERT INTO $schema.threads (thread_id, run_id, fence, status, attempt, last_sequence, name, trace_id, definition_hash,
          created_at, updated_at, usage)
        SELECT t, 'r', 1, 'running', 1, 3000, '', '', 'h', now(), now(), '{}'
          FROM (SELECT 't' AS t UNION ALL SELECT 't' || i FROM generate_series(1, 3000) AS i) AS t;
        INSERT INTO $schema.events SELECT 't', i, '[]' FROM generate_series(1, 3000) AS i;
        INSERT INTO $schema.events SELECT 't' || i, 1, '[]' FROM generate_series(1, 3000) AS i;
        INSERT INTO $schema.checkpoints (thread_id, checkpoint_id, parent_checkpoint_id, checkpoint)
        SELECT 't', 'c' || i, 'c' || i - 1, jsonb_build_object('channel_versions', jsonb_build_object('x', 'v' || i), 'updated_channels',
          '["log", "x"]'::jsonb)
        FROM generate_series(1, 3000) AS i;
        INSERT INTO $schema.checkpoint_writes (thread_id, checkpoint_id, task_id, idx, channel, blob) SELECT 't', 'c' || i, 'task', 0,
          'log', '[]' FROM generate_series(1, 3000) AS i;
        INSERT INTO $schema.checkpoint_blobs (thread_id, channel, version, type, blob) SELECT 't', 'x', 'v' || i, 'json', '1'
          FROM generate_series(1, 3000) AS i;
        """;

    /// <summary>Asserts that no part of the plan reads more rows, including those that a filter removes.</summary>
    private static async Task AssertReadsAtMostAsync(int rows, PostgresConnection connection, string sql, params object?[] values)
    {
        await using var command = connection.With($"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {sql}", values);
        await using var row = await command.ExecuteReaderAsync(Cancel);
        while (await row.ReadAsync(Cancel))
        {
            var line = row.GetString(0);
            if (Rows().Match(line) is { Success: true } seen)
            {
                Assert.True(
                    double.Parse(seen.Groups[1].Value, CultureInfo.InvariantCulture)
                        * int.Parse(seen.Groups[2].Value, CultureInfo.InvariantCulture)
                        <= rows,
                    line
                );
            }
            Assert.DoesNotContain("Rows Removed", line, StringComparison.Ordinal);
        }
    }

    [GeneratedRegex(@"actual rows=([\d.]+) loops=(\d+)")]
    private static partial Regex Rows();
}
