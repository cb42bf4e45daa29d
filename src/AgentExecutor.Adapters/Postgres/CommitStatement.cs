using System.Text;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// The text of the statements that apply a batch of commits, each in one round trip and one transaction:
/// <list type="number">
/// <item><c>c</c>: the batch, a row a commit, from one array a column.</item>
/// <item><c>k</c>: the commits whose fence holds. Their threads' rows are changed, and so locked until the end: no other worker's commit comes between.</item>
/// <item>What those commits store; rows that are there already stay as they are, so a batch whose outcome nobody knows can be sent again.</item>
/// <item>The result: the numbers of the commits that were applied. The others changed nothing.</item>
/// </list>
/// A <em>step</em> is what a run does all the time: a commit of a running run by whoever acquired it. It changes four columns of its thread. A <em>change</em> is
/// everything else: taking a thread, a new status, a commit without a run.
/// </summary>
internal static class CommitStatement
{
    /// <summary>The parts of a statement that a batch may do without.</summary>
    [Flags]
    public enum Parts
    {
        None = 0,
        Change = 1,
        Writes = 2,
        Values = 4,
        ToolCalls = 8,
        Outcomes = 16,
    }

    public static readonly string[] StepColumns =
    [
        "thread_id text[]", "run_id text[]", "fence bigint[]", "lease_ms double precision[]", "last_sequence bigint[]", "updated_at timestamptz[]", "usage text[]",
        "ns text[]", "under text[]", "checkpoint_id text[]", "parent_id text[]", "checkpoint jsonb[]", "metadata jsonb[]", "due bytea[]",
        "events_last bigint[]", "events bytea[]",
    ];

    public static readonly string[] ChangeColumns =
    [
        "holder text[]", "status text[]", "name text[]", "trace_id text[]", "definition_hash text[]", "attempt integer[]", "created_at timestamptz[]", "failure text[]",
        "definition bytea[]",
    ];

    public static readonly string[] WriteColumns = ["ord bigint[]", "task_id text[]", "idx integer[]", "channel text[]", "blob bytea[]"];

    public static readonly string[] ValueColumns = ["ord bigint[]", "channel text[]", "version text[]", "blob bytea[]"];

    public static readonly string[] ToolCallColumns =
    [
        "ord bigint[]", "task_id text[]", "checkpoint_ns text[]", "tool text[]", "call_id bytea[]", "started_at timestamptz[]", "ended_at timestamptz[]",
        "is_error boolean[]", "output bytea[]",
    ];

    public static readonly string[] OutcomeColumns = ["ord bigint[]", "sequence bigint[]", "json bytea[]"];

    public static string Text(Parts parts)
    {
        var sql = new StringBuilder("WITH ");
        var number = 1;
        string[] columns = parts.HasFlag(Parts.Change) ? [.. StepColumns, .. ChangeColumns] : StepColumns;
        sql.Append("c AS (SELECT * FROM ").Append(Unnest(columns, "c", ref number, ordinality: true)).Append("), ");
        sql.Append(parts.HasFlag(Parts.Change) ? Change : Step);
        sql.Append(Checkpoints);
        if (parts.HasFlag(Parts.Writes))
        {
            sql.Append(Writes.Replace("@rows", Unnest(WriteColumns, "w", ref number), StringComparison.Ordinal));
        }
        if (parts.HasFlag(Parts.Values))
        {
            sql.Append(Values.Replace("@rows", Unnest(ValueColumns, "v", ref number), StringComparison.Ordinal));
        }
        if (parts.HasFlag(Parts.ToolCalls))
        {
            sql.Append(ToolCalls.Replace("@rows", Unnest(ToolCallColumns, "t", ref number), StringComparison.Ordinal));
        }
        if (parts.HasFlag(Parts.Outcomes))
        {
            sql.Append(Outcomes.Replace("@rows", Unnest(OutcomeColumns, "o", ref number), StringComparison.Ordinal));
        }
        sql.Append(parts.HasFlag(Parts.Change) ? " SELECT ord, CASE WHEN status = 'pending' THEN pg_notify(current_schema() || '_runs', '') END::text FROM k" : " SELECT ord FROM k");
        return sql.ToString();
    }

    private const string Step =
        """
        k AS (
            UPDATE threads AS t SET
                lease_until = now() + c.lease_ms * interval '1 millisecond', last_sequence = c.last_sequence, updated_at = c.updated_at, usage = c.usage,
                crashes = CASE WHEN c.checkpoint_id IS NULL THEN t.crashes ELSE 0 END
            FROM c WHERE t.thread_id = c.thread_id AND t.fence = c.fence AND t.run_id = c.run_id AND t.status = 'running'
            RETURNING c.*)
        """;

    /// <summary>holder is empty but for a commit that acquires. Such a one needs a greater fence and a thread that nobody holds; or it is its own repetition.</summary>
    private const string Change =
        """
        t AS (
            INSERT INTO threads AS t (thread_id, run_id, fence, holder, is_held, lease_until, status, attempt, last_sequence, name, trace_id, definition_hash,
                created_at, updated_at, finished_at, usage, failure)
            SELECT thread_id, run_id, fence, holder, lease_ms IS NOT NULL, now() + lease_ms * interval '1 millisecond', status, attempt, last_sequence, name, trace_id,
                definition_hash, created_at, updated_at, CASE WHEN status IN ('completed', 'failed', 'cancelled') THEN updated_at END, usage, failure
            FROM c WHERE run_id IS NOT NULL ORDER BY thread_id
            ON CONFLICT (thread_id) DO UPDATE SET
                run_id = excluded.run_id, fence = excluded.fence, holder = CASE excluded.holder WHEN '' THEN t.holder ELSE excluded.holder END,
                is_held = excluded.is_held, lease_until = excluded.lease_until, status = excluded.status, attempt = excluded.attempt,
                last_sequence = excluded.last_sequence, name = excluded.name, trace_id = excluded.trace_id, definition_hash = excluded.definition_hash,
                created_at = excluded.created_at, updated_at = excluded.updated_at, finished_at = excluded.finished_at, usage = excluded.usage,
                failure = excluded.failure, is_queued = t.is_queued AND t.run_id = excluded.run_id,
                concurrency_key = CASE WHEN t.run_id = excluded.run_id THEN t.concurrency_key END
            WHERE CASE WHEN excluded.holder = '' THEN t.fence <= excluded.fence
                ELSE t.holder = excluded.holder AND t.fence <= excluded.fence OR t.fence < excluded.fence AND (NOT t.is_held OR t.lease_until <= now()) END
            RETURNING thread_id),
        bare AS (
            SELECT c.ord FROM c LEFT JOIN threads AS t USING (thread_id) WHERE c.run_id IS NULL AND (t.fence IS NULL OR t.fence <= c.fence)),
        k AS (
            SELECT c.* FROM c JOIN t USING (thread_id) WHERE c.run_id IS NOT NULL
            UNION ALL SELECT c.* FROM c JOIN bare USING (ord)),
        r AS (
            INSERT INTO runs (thread_id, run_id, status, name, trace_id, definition_hash, created_at, updated_at, usage, failure)
            SELECT thread_id, run_id, status, name, trace_id, definition_hash, created_at, updated_at, usage, failure FROM k WHERE run_id IS NOT NULL
            ON CONFLICT (thread_id, run_id) DO UPDATE SET
                status = excluded.status, updated_at = excluded.updated_at, usage = excluded.usage, failure = excluded.failure),
        d AS (
            INSERT INTO definitions (hash, json) SELECT DISTINCT ON (definition_hash) definition_hash, definition FROM k WHERE definition IS NOT NULL ON CONFLICT DO NOTHING)
        """;

    private const string Checkpoints =
        """
        , checkpoint AS (
            INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata, due)
            SELECT thread_id, ns, checkpoint_id, parent_id, checkpoint, metadata, due FROM k WHERE checkpoint_id IS NOT NULL ON CONFLICT DO NOTHING)
        , event AS (
            INSERT INTO events (thread_id, sequence, json) SELECT thread_id, events_last, events FROM k WHERE events IS NOT NULL ON CONFLICT DO NOTHING)
        """;

    private const string Writes =
        """
        , w AS (
            INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob)
            SELECT k.thread_id, k.ns, k.under, w.task_id, w.idx, w.channel, 'json', w.blob FROM @rows JOIN k USING (ord)
            ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) DO UPDATE SET blob = excluded.blob WHERE excluded.idx < 0)
        """;

    private const string Values =
        """
        , v AS (
            INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
            SELECT k.thread_id, k.ns, v.channel, v.version, 'json', v.blob FROM @rows JOIN k USING (ord) ON CONFLICT DO NOTHING)
        """;

    private const string ToolCalls =
        """
        , j AS (
            INSERT INTO tool_calls (thread_id, task_id, checkpoint_ns, tool, call_id, started_at, ended_at, is_error, output)
            SELECT k.thread_id, t.task_id, t.checkpoint_ns, t.tool, t.call_id, t.started_at, t.ended_at, t.is_error, t.output FROM @rows JOIN k USING (ord)
            ON CONFLICT (thread_id, task_id) DO UPDATE SET
                started_at = excluded.started_at, ended_at = excluded.ended_at, is_error = excluded.is_error, output = excluded.output)
        """;

    private const string Outcomes =
        """
        , o AS (
            INSERT INTO outbox (thread_id, sequence, run_id, status, json)
            SELECT k.thread_id, o.sequence, k.run_id, k.status, o.json FROM @rows JOIN k USING (ord) ON CONFLICT DO NOTHING)
        """;

    /// <summary>A table from one array parameter a column.</summary>
    private static string Unnest(string[] columns, string alias, ref int number, bool ordinality = false)
    {
        var first = number;
        number += columns.Length;
        var arrays = columns.Select((column, index) => $"${first + index}::{column[(column.IndexOf(' ', StringComparison.Ordinal) + 1)..]}");
        var names = columns.Select(column => column[..column.IndexOf(' ', StringComparison.Ordinal)]);
        return $"unnest({string.Join(", ", arrays)}){(ordinality ? " WITH ORDINALITY" : "")} AS {alias} ({string.Join(", ", names)}{(ordinality ? ", ord" : "")})";
    }
}
