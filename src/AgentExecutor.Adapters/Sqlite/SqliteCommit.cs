using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>Applies a <see cref="StepCommit"/> within an open transaction.</summary>
internal static class SqliteCommit
{
    private static readonly SqliteStatement<WriteRow> PutWrite = new(
        """
        INSERT INTO writes ($columns) VALUES ($values)
        ON CONFLICT (space_id, checkpoint_id, task_id, idx) DO UPDATE SET json = excluded.json
        WHERE excluded.idx < 0
        """,
        new("space_id", it => it.Space),
        new("checkpoint_id", it => it.CheckpointId),
        new("task_id", it => it.Write.TaskId),
        new("idx", it => it.Write.Index),
        new("channel", it => it.Write.Channel),
        new("json", it => it.Write.Json)
    );

    private static readonly SqliteStatement<ValueRow> PutValue = new(
        "INSERT INTO channel_values ($columns) VALUES ($values) ON CONFLICT DO NOTHING",
        new("space_id", it => it.Space),
        new("channel", it => it.Value.Channel),
        new("version", it => it.Value.Version),
        new("json", it => it.Value.Json)
    );

    private static readonly SqliteStatement<CheckpointRow> PutCheckpoint = new(
        "INSERT INTO checkpoints ($columns) VALUES ($values) ON CONFLICT DO NOTHING",
        new("space_id", it => it.Space),
        new("checkpoint_id", it => it.Checkpoint.Id),
        new("parent_id", it => it.Checkpoint.ParentId),
        new("run_id", it => it.Checkpoint.RunId),
        new("step", it => it.Checkpoint.Step),
        new("source", it => SqliteRows.Name(it.Checkpoint.Source)),
        new("time", it => SqliteRows.WriteTime(it.Checkpoint.Time)),
        new("channels", it => SqliteRows.WriteChannels(it.Checkpoint)),
        new("due", it => it.Checkpoint.Due)
    );

    private static readonly SqliteStatement<ToolCallRow> PutToolCall = new(
        """
        INSERT INTO tool_calls ($columns) VALUES ($values)
        ON CONFLICT (thread_id, task_id) DO UPDATE SET
            started_at = excluded.started_at, ended_at = excluded.ended_at, is_error = excluded.is_error, output = excluded.output,
            updates = excluded.updates
        """,
        new("thread_id", it => it.ThreadId),
        new("task_id", it => it.Call.TaskId),
        new("ns", it => it.Call.Namespace),
        new("tool", it => it.Call.Tool),
        new("call_id", it => it.Call.CallId),
        new("started_at", it => SqliteRows.WriteTime(it.Call.StartedAt)),
        new("ended_at", it => it.Call.Outcome is { } outcome ? SqliteRows.WriteTime(outcome.EndedAt) : null),
        new("is_error", it => it.Call.Outcome?.IsError),
        new("output", it => it.Call.Outcome?.Content),
        new("updates", it => it.Call.Outcome?.Updates)
    );

    private const string PutEvents = "INSERT INTO events (thread_id, sequence, json) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

    /// <param name="now">Milliseconds since 1970.</param>
    /// <exception cref="FaultException">Another worker holds the thread, or has taken it over.</exception>
    public static void Apply(SqliteStatements database, StepCommit commit, long now)
    {
        SqliteRunRows.Apply(database, commit, now);
        if (commit.Checkpoint is not null || !commit.Writes.IsEmpty)
        {
            ApplyState(database, commit, SpaceOf(database, commit.ThreadId, commit.Namespace));
        }
        if (commit.Events is { } events)
        {
            database.Run(PutEvents, commit.ThreadId, events.Last, events.Json);
        }
        foreach (var call in commit.ToolCalls)
        {
            database.Run(PutToolCall, new ToolCallRow(commit.ThreadId, call));
        }
        SqliteInterrupts.Apply(database, commit, now);
        SqliteBudgetLedger.Settle(database, commit.ThreadId, commit.Settlements, commit.ReleasesReservations);
        if (commit.Definition is { } definition)
        {
            PutDefinition(database, definition);
        }
    }

    public static void PutDefinition(SqliteStatements database, StoredDefinition definition) =>
        database.Run("INSERT INTO definitions (hash, json) VALUES ($1, $2) ON CONFLICT DO NOTHING", definition.Hash, definition.Json);

    /// <summary>Returns the id of the row of <c>spaces</c> for this namespace of the thread, or null if nothing is stored in it.</summary>
    public static long? FindSpace(SqliteStatements database, string threadId, string ns) =>
        (long?)database.Scalar("SELECT id FROM spaces WHERE thread_id = $1 AND ns = $2", threadId, ns);

    /// <summary>Returns the id like <see cref="FindSpace"/>, and inserts the row if there is none.</summary>
    public static long SpaceOf(SqliteStatements database, string threadId, string ns) =>
        FindSpace(database, threadId, ns)
        ?? (long)database.Scalar("INSERT INTO spaces (thread_id, ns) VALUES ($1, $2) RETURNING id", threadId, ns)!;

    private static void ApplyState(SqliteStatements database, StepCommit commit, long space)
    {
        foreach (var write in commit.Writes)
        {
            database.Run(PutWrite, new WriteRow(space, commit.WritesUnder, write));
        }
        foreach (var value in commit.Values)
        {
            database.Run(PutValue, new ValueRow(space, value));
        }
        if (commit.Checkpoint is { } checkpoint)
        {
            database.Run(PutCheckpoint, new CheckpointRow(space, checkpoint));
        }
    }

    private readonly record struct WriteRow(long Space, string? CheckpointId, StoredWrite Write);

    private readonly record struct ValueRow(long Space, StoredValue Value);

    private readonly record struct CheckpointRow(long Space, StoredCheckpoint Checkpoint);

    private readonly record struct ToolCallRow(string ThreadId, StoredToolCall Call);
}
