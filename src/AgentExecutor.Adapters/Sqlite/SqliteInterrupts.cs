using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>Stores the interrupts, answers and messages of a step, within an open transaction.</summary>
internal static class SqliteInterrupts
{
    private const string Put = """
        INSERT INTO interrupts (thread_id, interrupt_id, run_id, json, due_at, asked_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT DO NOTHING
        """;

    private const string Answer = """
        UPDATE interrupts SET
            answer = coalesce(answer, $3), answered_at = coalesce(answered_at, $4), due_at = NULL, is_applied = 1
        WHERE thread_id = $1 AND interrupt_id = $2
        """;

    private const string Notice = """
        INSERT INTO notices (thread_id, notice_id, run_id, type, subject, json, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT DO NOTHING
        """;

    /// <param name="now">Milliseconds since 1970.</param>
    public static void Apply(SqliteStatements database, StepCommit commit, long now)
    {
        foreach (var it in commit.Interrupts)
        {
            database.Run(Put, it.ThreadId, it.Id, it.RunId, it.Json, it.DueAt?.ToUnixTimeMilliseconds(), now);
        }
        foreach (var it in commit.Answers)
        {
            database.Run(Answer, commit.ThreadId, it.InterruptId, it.Json, now);
        }
        foreach (var notice in commit.Notices)
        {
            PutNotice(database, commit.ThreadId, notice, now);
        }
    }

    public static void PutNotice(SqliteStatements database, string threadId, StoredNotice notice, long now) =>
        database.Run(Notice, threadId, notice.Id, notice.RunId, notice.Type, notice.Subject, notice.Json, now);
}
