using AgentExecutor.Core.Runs;

namespace AgentExecutor.Benchmarks;

/// <summary>Copies the rows into the tables of PostgreSQL.</summary>
internal sealed class CopiedLoad(BenchStore.Postgres store) : QueueLoad
{
    private const string ThreadColumns =
        "thread_id, run_id, fence, is_held, lease_until, status, attempt, last_sequence, is_queued, concurrency_key, "
        + "name, trace_id, definition_hash, created_at, updated_at, usage";

    private const string RunColumns =
        "thread_id, run_id, status, name, trace_id, definition_hash, created_at, updated_at, usage, is_queued, input, concurrency_key";

    private const string Far = "2100-01-01 00:00:00+00";
    private static readonly string Common =
        $"bench\ttrace\th\t2026-01-01 00:00:00+00\t2026-01-01 00:00:00+00\t{RunJson.WriteUsage(new RunUsage())}";

    public override Task FreeAsync(int key) =>
        store.ExecuteAsync($"UPDATE threads SET is_held = false, lease_until = NULL, status = 'completed' WHERE thread_id = 'held-{key}'");

    public override async Task FillKeysAsync(int keys)
    {
        await CopyAsync("threads", ThreadColumns, keys, i => $"held-{i}\tr\t1\tt\t{Far}\trunning\t1\t0\tt\tkey-{i}\t{Common}");
        await CopyAsync("threads", ThreadColumns, keys, i => $"full-{i}\tr\t0\tf\t\\N\tpending\t0\t0\tt\t\\N\t{Common}");
        await CopyAsync("runs", RunColumns, keys, i => $"full-{i}\tr\tpending\t{Common}\tt\t{{}}\tkey-{i}");
        await store.ExecuteAsync("VACUUM ANALYZE threads, runs, queue");
    }

    public override async Task FillThreadAsync(int runs)
    {
        await CopyAsync("threads", ThreadColumns, 1, _ => $"long\tfirst\t1\tt\t{Far}\trunning\t1\t0\tt\t\\N\t{Common}");
        await CopyAsync("runs", RunColumns, runs, i => $"long\tr{i}\tpending\t{Common}\tt\t{{}}\t\\N");
        await store.ExecuteAsync("VACUUM ANALYZE threads, runs, queue");
    }

    /// <summary>Copies all rows first and then rebuilds the queue once, as a migration does.</summary>
    public override async Task FillAsync(int runs)
    {
        await store.ExecuteAsync("ALTER TABLE runs DISABLE TRIGGER queue_run_added");
        await CopyAsync("threads", ThreadColumns, runs, i => $"m{i}\tr\t0\tf\t\\N\tpending\t0\t0\tt\t\\N\t{Common}");
        await CopyAsync("runs", RunColumns, runs, i => $"m{i}\tr\tpending\t{Common}\tt\t{{}}\t\\N");
        await store.ExecuteAsync("SELECT queue_rebuild()");
        await store.ExecuteAsync("ALTER TABLE runs ENABLE TRIGGER queue_run_added");
        await store.ExecuteAsync("VACUUM ANALYZE threads, runs, queue");
    }

    private Task CopyAsync(string table, string columns, int count, Func<int, FormattableString> row) =>
        store.CopyAsync(table, columns, Enumerable.Range(0, count).Select(i => FormattableString.Invariant(row(i))));
}
