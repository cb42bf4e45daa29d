using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>Reads the interrupts that the commits of steps have stored as rows, and records their answers.</summary>
internal sealed class SqliteInterruptStore(SqliteAccess access) : IInterruptStore
{
    private const string Columns = "thread_id, interrupt_id, run_id, json, escalation, due_at, answer, is_applied";

    private const string FindOne = $"SELECT {Columns} FROM interrupts WHERE thread_id = $1 AND interrupt_id = $2";

    private const string Due = $"SELECT {Columns} FROM interrupts WHERE due_at <= $1 ORDER BY due_at LIMIT $2";

    private const string Record = """
        INSERT INTO interrupts (thread_id, interrupt_id, run_id, json, answer, due_at, asked_at, answered_at)
        VALUES ($1, $2, $3, $4, $5, $6, $6, $6)
        ON CONFLICT (thread_id, interrupt_id) DO UPDATE SET answer = excluded.answer, due_at = excluded.due_at, answered_at = $6
        WHERE answer IS NULL
        """;

    private const string Move = "UPDATE interrupts SET due_at = $3 WHERE thread_id = $1 AND interrupt_id = $2";

    private const string Escalate = """
        UPDATE interrupts SET escalation = $3, due_at = $4
        WHERE thread_id = $1 AND interrupt_id = $2 AND answer IS NULL AND escalation = $3 - 1
        """;

    public ValueTask<ImmutableArray<StoredInterrupt>> FindAsync(
        string threadId,
        ImmutableArray<string> ids,
        CancellationToken cancellationToken
    ) => ValueTask.FromResult(access.Read(database => ids.SelectMany(id => Find(database, threadId, id)).ToImmutableArray()));

    public ValueTask<ImmutableArray<StoredInterrupt>> RecordAsync(
        ImmutableArray<StoredInterrupt> answered,
        CancellationToken cancellationToken
    ) =>
        access.WriteAsync(
            database =>
            {
                foreach (var it in answered)
                {
                    database.Run(Record, it.ThreadId, it.Id, it.RunId, it.Json, it.Answer ?? default, access.Now);
                }
                return answered.SelectMany(it => Find(database, it.ThreadId, it.Id)).ToImmutableArray();
            },
            cancellationToken
        );

    /// <summary>Reads first, so that a poll that finds nothing does not occupy the writer.</summary>
    public async ValueTask<ImmutableArray<StoredInterrupt>> TakeDueAsync(int atMost, TimeSpan hold, CancellationToken cancellationToken)
    {
        if (access.Read(database => ReadDue(database, 1)).IsEmpty)
        {
            return [];
        }
        return await access.WriteAsync(
            database =>
            {
                var due = ReadDue(database, atMost);
                foreach (var it in due)
                {
                    database.Run(Move, it.ThreadId, it.Id, access.Now + (long)hold.TotalMilliseconds);
                }
                return due;
            },
            cancellationToken
        );
    }

    public ValueTask<bool> EscalateAsync(StoredInterrupt interrupt, StoredNotice notice, CancellationToken cancellationToken) =>
        access.WriteAsync(
            database =>
            {
                var dueAt = interrupt.DueAt?.ToUnixTimeMilliseconds();
                if (database.Run(Escalate, interrupt.ThreadId, interrupt.Id, interrupt.Escalation, dueAt) == 0)
                {
                    return false;
                }
                SqliteInterrupts.PutNotice(database, interrupt.ThreadId, notice, access.Now);
                return true;
            },
            cancellationToken
        );

    public ValueTask CloseAsync(ImmutableArray<StoredInterrupt> interrupts, CancellationToken cancellationToken) =>
        access.WriteAsync(
            database =>
            {
                foreach (var it in interrupts)
                {
                    database.Run(Move, it.ThreadId, it.Id, null);
                }
            },
            cancellationToken
        );

    private ImmutableArray<StoredInterrupt> ReadDue(SqliteStatements database, int atMost) =>
        [.. ReadAll(database.Query(Due, access.Now, atMost))];

    private static List<StoredInterrupt> Find(SqliteStatements database, string threadId, string id) =>
        ReadAll(database.Query(FindOne, threadId, id));

    private static List<StoredInterrupt> ReadAll(SqliteRowReader rows)
    {
        using var row = rows;
        var read = new List<StoredInterrupt>();
        while (row.Read())
        {
            read.Add(
                new StoredInterrupt
                {
                    ThreadId = row.Text("thread_id"),
                    Id = row.Text("interrupt_id"),
                    RunId = row.Text("run_id"),
                    Json = row.Bytes("json"),
                    Escalation = row.Integer("escalation"),
                    DueAt = row.IsNull("due_at") ? null : row.UnixTime("due_at"),
                    Answer = row.IsNull("answer") ? (ReadOnlyMemory<byte>?)null : row.Bytes("answer"),
                    IsApplied = row.Flag("is_applied"),
                }
            );
        }
        return read;
    }
}
