using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>Applies a <see cref="StepCommit"/> within an open transaction.</summary>
internal static class SqliteCommit
{
    /// <param name="now">Milliseconds since 1970.</param>
    /// <exception cref="FaultException">Another has the thread.</exception>
    public static void Apply(SqliteStatements database, StepCommit commit, long now)
    {
        SqliteRunRows.Apply(database, commit, now);
        if (commit.Checkpoint is not null || !commit.Writes.IsEmpty)
        {
            var space = SpaceOf(database, commit.ThreadId, commit.Namespace);
            PutWrites(database, space, commit);
            PutCheckpoint(database, space, commit);
        }
        PutEvents(database, commit);
        PutToolCalls(database, commit);
        SqliteBudgetLedger.Settle(database, commit.ThreadId, commit.Settlements, commit.ReleasesReservations);
        if (commit.Definition is { } definition)
        {
            PutDefinition(database, definition);
        }
    }

    public static void PutDefinition(SqliteStatements database, StoredDefinition definition) =>
        database.Run("INSERT INTO definitions (hash, json) VALUES ($1, $2) ON CONFLICT DO NOTHING", definition.Hash, definition.Json);

    public static long? FindSpace(SqliteStatements database, string threadId, string ns) =>
        (long?)database.Scalar("SELECT id FROM spaces WHERE thread_id = $1 AND ns = $2", threadId, ns);

    public static long SpaceOf(SqliteStatements database, string threadId, string ns) => FindSpace(database, threadId, ns)
        ?? (long)database.Scalar("INSERT INTO spaces (thread_id, ns) VALUES ($1, $2) RETURNING id", threadId, ns)!;

    private static void PutWrites(SqliteStatements database, long space, StepCommit commit)
    {
        foreach (var write in commit.Writes)
        {
            database.Run(
                """
                INSERT INTO writes (space_id, checkpoint_id, task_id, idx, channel, json) VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (space_id, checkpoint_id, task_id, idx) DO UPDATE SET json = excluded.json WHERE excluded.idx < 0
                """,
                space, commit.WritesUnder, write.TaskId, write.Index, write.Channel, write.Json);
        }
    }

    private static void PutCheckpoint(SqliteStatements database, long space, StepCommit commit)
    {
        foreach (var value in commit.Values)
        {
            database.Run(
                "INSERT INTO channel_values (space_id, channel, version, json) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                space, value.Channel, value.Version, value.Json);
        }
        if (commit.Checkpoint is { } it)
        {
            database.Run(
                $"INSERT INTO checkpoints (space_id, {SqliteRows.CheckpointColumns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
                space, it.Id, it.ParentId, it.RunId, it.Step, Name(it.Source), SqliteRows.WriteTime(it.Time), SqliteRows.WriteChannels(it), it.Due);
        }
    }

    private static void PutEvents(SqliteStatements database, StepCommit commit)
    {
        if (commit.Events is { } events)
        {
            database.Run(
                "INSERT INTO events (thread_id, sequence, json) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", commit.ThreadId, events.Last, events.Json);
        }
    }

    private static void PutToolCalls(SqliteStatements database, StepCommit commit)
    {
        foreach (var call in commit.ToolCalls)
        {
            database.Run(
                """
                INSERT INTO tool_calls (thread_id, task_id, ns, tool, call_id, started_at, ended_at, is_error, output) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                ON CONFLICT (thread_id, task_id) DO UPDATE SET started_at = excluded.started_at, ended_at = excluded.ended_at,
                    is_error = excluded.is_error, output = excluded.output
                """,
                commit.ThreadId, call.TaskId, call.Namespace, call.Tool, call.CallId, SqliteRows.WriteTime(call.StartedAt),
                call.Outcome is { } ended ? SqliteRows.WriteTime(ended.EndedAt) : null, call.Outcome?.IsError, call.Outcome?.Content);
        }
    }

    public static string Name<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();
}
