using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Reads the interrupts that the commits of steps have stored as rows, and records their answers.</summary>
internal sealed class PostgresInterruptStore(PostgresAccess access) : IInterruptStore
{
    private const string Columns = "thread_id, interrupt_id, run_id, json, escalation, due_at, answer, is_applied";

    private const string Find = $"SELECT {Columns} FROM $schema.interrupts WHERE thread_id = $1 AND interrupt_id = ANY ($2::text[])";

    private static readonly string Record = $"""
        INSERT INTO $schema.interrupts (thread_id, interrupt_id, run_id, json, answer, due_at, answered_at)
        SELECT r.*, now(), now()
        FROM {RecordedRows.Table.As("r")}
        ORDER BY interrupt_id
        ON CONFLICT (thread_id, interrupt_id) DO UPDATE SET answer = excluded.answer, due_at = now(), answered_at = now()
        WHERE interrupts.answer IS NULL
        """;

    private const string TakeDue = $"""
        UPDATE $schema.interrupts SET due_at = now() + $2 * interval '1 second'
        WHERE (thread_id, interrupt_id) IN (
            SELECT thread_id, interrupt_id FROM $schema.interrupts
            WHERE due_at <= now()
            ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
        RETURNING {Columns}
        """;

    private const string Escalate = """
        WITH u AS (
            UPDATE $schema.interrupts SET escalation = $3, due_at = $4
            WHERE thread_id = $1 AND interrupt_id = $2 AND answer IS NULL AND escalation = $3 - 1
            RETURNING thread_id, run_id)
        INSERT INTO $schema.notices (thread_id, run_id, notice_id, type, subject, json, trace_parent)
        SELECT u.thread_id, u.run_id, $5, $6, $7, $8, coalesce(r.trace_parent, '')
        FROM u LEFT JOIN $schema.runs AS r USING (thread_id, run_id)
        ON CONFLICT DO NOTHING
        """;

    private static readonly string Close = $"""
        UPDATE $schema.interrupts AS i SET due_at = NULL
        FROM {InterruptKeyRows.Table.As("k")}
        WHERE i.thread_id = k.thread_id AND i.interrupt_id = k.interrupt_id
        """;

    public async ValueTask<ImmutableArray<StoredInterrupt>> FindAsync(
        string threadId,
        ImmutableArray<string> ids,
        CancellationToken cancellationToken
    ) => await access.RunAsync((connection, cancel) => FindAsync(connection, threadId, ids, cancel), cancellationToken);

    public async ValueTask<ImmutableArray<StoredInterrupt>> RecordAsync(
        ImmutableArray<StoredInterrupt> answered,
        CancellationToken cancellationToken
    )
    {
        var stored = await access.RunAsync(
            async (connection, cancel) =>
            {
                await connection.RunAsync(Record, [.. RecordedRows.Table.Parameters(answered)], cancel);
                var found = new List<StoredInterrupt>();
                foreach (var thread in answered.GroupBy(static it => it.ThreadId))
                {
                    found.AddRange(await FindAsync(connection, thread.Key, [.. thread.Select(static it => it.Id)], cancel));
                }
                return found.ToDictionary(static it => (it.ThreadId, it.Id));
            },
            cancellationToken
        );
        return [.. answered.Select(it => stored[(it.ThreadId, it.Id)])];
    }

    public async ValueTask<ImmutableArray<StoredInterrupt>> TakeDueAsync(int atMost, TimeSpan hold, CancellationToken cancellationToken) =>
        await access.RunAsync(
            async (connection, cancel) =>
            {
                await using var command = connection.With(TakeDue, (long)atMost, hold.TotalSeconds);
                return await ReadAsync(command, cancel);
            },
            cancellationToken,
            TimeSpan.Zero
        );

    public async ValueTask<bool> EscalateAsync(StoredInterrupt interrupt, StoredNotice notice, CancellationToken cancellationToken) =>
        await access.RunAsync(
            (connection, cancel) =>
                connection.RunAsync(
                    Escalate,
                    [
                        interrupt.ThreadId,
                        interrupt.Id,
                        interrupt.Escalation,
                        interrupt.DueAt?.UtcDateTime,
                        notice.Id,
                        notice.Type,
                        notice.Subject,
                        notice.Json,
                    ],
                    cancel
                ),
            cancellationToken,
            TimeSpan.Zero
        ) > 0;

    public async ValueTask CloseAsync(ImmutableArray<StoredInterrupt> interrupts, CancellationToken cancellationToken) =>
        await access.RunAsync(
            (connection, cancel) => connection.RunAsync(Close, [.. InterruptKeyRows.Table.Parameters(interrupts)], cancel),
            cancellationToken,
            TimeSpan.Zero
        );

    private static async Task<ImmutableArray<StoredInterrupt>> FindAsync(
        PostgresConnection connection,
        string threadId,
        ImmutableArray<string> ids,
        CancellationToken cancellationToken
    )
    {
        await using var command = connection.With(Find, threadId, ids.ToArray());
        return await ReadAsync(command, cancellationToken);
    }

    private static async Task<ImmutableArray<StoredInterrupt>> ReadAsync(PostgresCommand command, CancellationToken cancellationToken)
    {
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var read = ImmutableArray.CreateBuilder<StoredInterrupt>();
        while (await row.ReadAsync(cancellationToken))
        {
            read.Add(Read(row));
        }
        return read.ToImmutable();
    }

    private static StoredInterrupt Read(NpgsqlDataReader row) =>
        new()
        {
            ThreadId = row.Text("thread_id"),
            Id = row.Text("interrupt_id"),
            RunId = row.Text("run_id"),
            Json = row.Bytes("json"),
            Escalation = row.Integer("escalation"),
            DueAt = row.IsNull("due_at") ? null : row.Time("due_at"),
            Answer = row.OptionalBytes("answer") is { } answer ? answer.AsMemory() : (ReadOnlyMemory<byte>?)null,
            IsApplied = row.Flag("is_applied"),
        };
}
