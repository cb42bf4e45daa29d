using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Conformance.Queues;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Postgres;

public sealed class PostgresRetentionTests(PostgresFixture postgres) : RetentionContract
{
    private const int LeftToAnother = 1033; // the id of the log event

    private PostgresSettings _settings = null!;
    private ThreadStore _store = null!;
    private DeletionBlocker _blocker = null!;

    public override async ValueTask DisposeAsync()
    {
        if (_store is not null)
        {
            await _store.DisposeAsync();
        }
        await base.DisposeAsync();
    }

    [Fact]
    public async Task One_process_leads_until_its_lease_ends()
    {
        var (first, second) = (new Lease("first", TimeSpan.FromMinutes(5)), new Lease("second", TimeSpan.FromMinutes(5)));

        Assert.True(await Retention.TryLeadAsync(first, Cancel));
        Assert.True(await Retention.TryLeadAsync(first, Cancel));
        Assert.False(await Retention.TryLeadAsync(second, Cancel));
        await _blocker.ExecuteAsync("UPDATE upkeep SET lease_until = now() - interval '1 second'");
        Assert.True(await Retention.TryLeadAsync(second, Cancel));
        Assert.False(await Retention.TryLeadAsync(first, Cancel));
    }

    [Fact]
    public async Task A_thread_that_cannot_be_deleted_is_logged_once_and_the_others_are_deleted()
    {
        foreach (var thread in (string[])["a", "locked", "z"])
        {
            await DeletionBlocker.EndAsync(_store, thread);
        }
        var log = new Warnings();
        var janitor = new Janitor(_store.Runs, _store.Checkpoints, _store.Retention, null, TimeProvider.System, log);
        var settings = new RetentionSettings { FinishedDays = 1e-9 };
        using var failures = new Failures();
        await using (await _blocker.LockAsync("locked"))
        {
            Assert.Equal(2, (await janitor.SweepAsync(settings, isDryRun: false, Cancel)).Threads);
            Assert.Equal(0, (await janitor.SweepAsync(settings, isDryRun: false, Cancel)).Threads);
        }
        Assert.Contains("locked", Assert.Single(log.Lines), StringComparison.Ordinal);
        Assert.Equal(2, failures.Deletions);

        Assert.Equal(1, (await janitor.SweepAsync(settings, isDryRun: false, Cancel)).Threads);

        Assert.Equal(0, await _blocker.RowsOfAsync("locked"));
    }

    [Fact]
    public async Task A_janitor_that_has_lost_its_lease_stops_its_sweep()
    {
        string[] threads = ["a", "b", "c"];
        foreach (var thread in threads)
        {
            await DeletionBlocker.EndAsync(_store, thread);
        }
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var log = new Warnings(LogLevel.Information);
        var janitor = new Janitor(_store.Runs, _store.Checkpoints, _store.Retention, null, new HastyClock(), log);
        Task sweeping;
        await using (var locked = await _blocker.LockAsync("c")) // It ended last and is deleted first.
        {
            sweeping = janitor.RunAsync(new RetentionSettings { FinishedDays = 1e-9, SweepSeconds = 3_600 }, stop.Token);
            await _blocker.WaitForBlockedAsync(locked);
            await _blocker.ExecuteAsync("UPDATE upkeep SET holder = 'another', lease_until = now() + interval '1 hour'");
        }
        await Wait.UntilAsync(() => log.Ids.Contains(LeftToAnother));
        await stop.CancelAsync();
        await sweeping;

        Assert.NotNull(await Runs.FindAsync("a", Cancel));
        Assert.NotNull(await Runs.FindAsync("b", Cancel));
    }

    [Fact]
    public async Task A_janitor_that_stops_lets_another_sweep_at_once()
    {
        await DeletionBlocker.EndAsync(_store, "t");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var janitor = new Janitor(_store.Runs, _store.Checkpoints, _store.Retention, null, TimeProvider.System, new Warnings());
        var sweeping = janitor.RunAsync(new RetentionSettings { FinishedDays = 1e-9, SweepSeconds = 3_600 }, stop.Token);
        await Wait.UntilAsync(async () => await Runs.FindAsync("t", Cancel) is null);

        await stop.CancelAsync();
        await sweeping;

        Assert.True(await Retention.TryLeadAsync(new Lease("another", TimeSpan.FromMinutes(5)), Cancel));
    }

    [Fact]
    public async Task Pruning_a_long_thread_takes_time_in_proportion_to_its_length()
    {
        await DeletionBlocker.EndAsync(_store, "t");
        await _blocker.ExecuteAsync(
            """
            INSERT INTO checkpoints (thread_id, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
            SELECT 't', to_char(i, 'FM"d"000000'), to_char(i - 1, 'FM"d"000000'),
                jsonb_build_object('ts', now(), 'channel_versions', jsonb_build_object('x', lpad(i::text, 32, '0') || '.0000000000000000',
                  'y', lpad(i::text, 32, '0') || '.0000000000000000')), '{}'
            FROM generate_series(1, 20000) AS i;
            INSERT INTO checkpoint_blobs (thread_id, channel, version, type, blob)
            SELECT 't', c, lpad(i::text, 32, '0') || '.0000000000000000', 'json', '1' FROM generate_series(1, 20000) AS i,
              unnest(ARRAY['x', 'y']) AS c;
            """
        );

        Assert.Equal(20_000 + 1 - 10, await Checkpoints.PruneAsync("t", 10, Cancel));

        Assert.Equal(20, await _blocker.ScalarAsync("SELECT count(*) FROM checkpoint_blobs WHERE thread_id = 't'"));
        Assert.Equal("1", System.Text.Encoding.UTF8.GetString((await Checkpoints.LoadAsync("t", "", null, Cancel))!.Values[0].Json.Span));
    }

    [Fact]
    public async Task Retention_uses_smaller_batches_when_a_batch_exceeds_the_statement_timeout()
    {
        await using var store = await PostgresFixture.OpenAsync(_settings with { StatementTimeoutSeconds = 0.5 });
        foreach (var thread in (string[])["pruned", "deleted"])
        {
            await DeletionBlocker.EndAsync(store, thread);
        }
        await _blocker.ExecuteAsync(
            """
            INSERT INTO checkpoints (thread_id, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
            SELECT t, to_char(i, 'FM"d"000000'), to_char(i - 1, 'FM"d"000000'),
              jsonb_build_object('ts', now(), 'channel_versions', '{}'::jsonb), '{}'
            FROM generate_series(1, 150) AS i, unnest(ARRAY['pruned', 'deleted']) AS t;
            INSERT INTO outbox (thread_id, run_id, sequence, status, json, created_at, announced_at)
            SELECT 'ended' || i, 'r', 1, 'completed', '{}', now() - interval '2 days', now() - interval '2 days'
              FROM generate_series(1, 120) AS i;
            CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN PERFORM pg_sleep(0.006); RETURN OLD; END $f$;
            CREATE TRIGGER be_slow BEFORE DELETE ON checkpoints FOR EACH ROW EXECUTE FUNCTION be_slow();
            CREATE TRIGGER be_slow BEFORE DELETE ON outbox FOR EACH ROW EXECUTE FUNCTION be_slow();
            """
        );
        var janitor = new Janitor(
            store.Runs,
            store.Checkpoints,
            store.Retention,
            store.Outbox,
            TimeProvider.System,
            NullLogger<Janitor>.Instance
        );

        Assert.Equal(150, await store.Checkpoints.PruneAsync("pruned", 1, Cancel));
        await store.Checkpoints.DeleteThreadAsync("deleted", Cancel);
        var swept = await janitor.SweepAsync(
            new RetentionSettings
            {
                FinishedDays = 0,
                FinishedThreads = 0,
                Checkpoints = 0,
                ResultHours = 1,
            },
            isDryRun: false,
            Cancel
        );

        Assert.Equal(120, swept.Results);
        Assert.Equal(0, await _blocker.RowsOfAsync("deleted"));
        Assert.Equal(0, await _blocker.ScalarAsync("SELECT count(*) FROM outbox"));
    }

    protected override async ValueTask<(
        IRunQueue Queue,
        ICheckpointStore Checkpoints,
        IRunStore Runs,
        IRetentionStore Retention
    )> MakeAsync()
    {
        _settings = await postgres.SchemaAsync() with { LockTimeoutSeconds = 0.3, StatementTimeoutSeconds = 5 };
        (_store, _blocker) = (
            await PostgresFixture.OpenAsync(_settings),
            new DeletionBlocker(await postgres.ServerAsync(), _settings.Schema)
        );
        return (_store.Queue!, _store.Checkpoints, _store.Runs, _store.Retention);
    }

    protected override Task AgeDefinitionsAsync() =>
        _blocker.ExecuteAsync(
            "UPDATE definitions SET checked_at = checked_at - interval '2 days', retired_at = retired_at - interval '2 hours'"
        );

    /// <summary>A clock that advances by half a minute at each reading, so that the lease is renewed before each thread.</summary>
    private sealed class HastyClock : TimeProvider
    {
        private long _looks;

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => 30 * Interlocked.Increment(ref _looks);
    }

    /// <summary>Counts the deletions that failed.</summary>
    private sealed class Failures : IDisposable
    {
        private readonly MeterListener _listener = new();
        private long _deletions;

        public Failures()
        {
            _listener.SetMeasurementEventCallback<long>(
                (_, value, tags, _) => _deletions += tags is [{ Key: "operation", Value: "delete" }] ? value : 0
            );
            _listener.EnableMeasurementEvents(Telemetry.RetentionFailures);
            _listener.Start();
        }

        public long Deletions => _deletions;

        public void Dispose() => _listener.Dispose();
    }

    /// <summary>Collects the log events from a level on.</summary>
    private sealed class Warnings(LogLevel least = LogLevel.Warning) : ILogger<Janitor>
    {
        public List<string> Lines { get; } = [];

        public ConcurrentQueue<int> Ids { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => NullLogger.Instance.BeginScope(state);

        public bool IsEnabled(LogLevel level) => level >= least;

        public void Log<TState>(LogLevel level, EventId id, TState state, Exception? exception, Func<TState, Exception?, string> format)
        {
            if (IsEnabled(level))
            {
                Ids.Enqueue(id.Id);
                Lines.Add($"{string.Join(' ', (state as IEnumerable<KeyValuePair<string, object?>>)?.Select(it => it.Value) ?? [])}");
            }
        }
    }
}
