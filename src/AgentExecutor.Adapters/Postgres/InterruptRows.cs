using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>The questions and external tool calls that steps have stored.</summary>
internal sealed class AskedRows()
    : RowSet<StoredInterrupt>(
        Sql,
        "",
        Text("thread_id", static it => it.ThreadId),
        Text("interrupt_id", static it => it.Id),
        Text("run_id", static it => it.RunId),
        Bytes("json", static it => it.Json),
        OptionalTime("due_at", static it => it.DueAt)
    )
{
    private const string Sql = "INSERT INTO $schema.interrupts ($columns) SELECT * FROM unnest($values) ON CONFLICT DO NOTHING";

    public void Add(StepCommit commit)
    {
        foreach (var interrupt in commit.Interrupts)
        {
            Add(interrupt);
        }
    }
}

/// <summary>The answers that are passed to the tasks that wait for them.</summary>
internal sealed class AnswerRows()
    : RowSet<AnswerRow>(
        Sql,
        "",
        Text("thread_id", static it => it.ThreadId),
        Text("interrupt_id", static it => it.Answer.InterruptId),
        Bytes("answer", static it => it.Answer.Json)
    )
{
    private const string Sql = """
        UPDATE $schema.interrupts AS i SET
            answer = coalesce(i.answer, a.answer), answered_at = coalesce(i.answered_at, now()), due_at = NULL, is_applied = true
        FROM unnest($values) AS a ($columns)
        WHERE i.thread_id = a.thread_id AND i.interrupt_id = a.interrupt_id
        """;

    public void Add(StepCommit commit)
    {
        foreach (var answer in commit.Answers)
        {
            Add(new AnswerRow(commit.ThreadId, answer));
        }
    }
}

/// <summary>The messages that leave with steps.</summary>
internal sealed class NoticeRows()
    : RowSet<NoticeRow>(
        Sql,
        "",
        Text("thread_id", static it => it.ThreadId),
        Text("run_id", static it => it.Notice.RunId),
        Text("notice_id", static it => it.Notice.Id),
        Text("type", static it => it.Notice.Type),
        Text("subject", static it => it.Notice.Subject),
        Bytes("json", static it => it.Notice.Json)
    )
{
    private const string Sql = """
        INSERT INTO $schema.notices ($columns, trace_parent)
        SELECT n.*, coalesce(r.trace_parent, '')
        FROM unnest($values) AS n ($columns) LEFT JOIN $schema.runs AS r ON r.thread_id = n.thread_id AND r.run_id = n.run_id
        ON CONFLICT DO NOTHING
        """;

    public void Add(StepCommit commit)
    {
        foreach (var notice in commit.Notices)
        {
            Add(new NoticeRow(commit.ThreadId, notice));
        }
    }
}

/// <summary>Interrupts with their answers.</summary>
internal sealed class RecordedRows()
    : RowTable<StoredInterrupt>(
        Text("thread_id", static it => it.ThreadId),
        Text("interrupt_id", static it => it.Id),
        Text("run_id", static it => it.RunId),
        Bytes("json", static it => it.Json),
        Bytes("answer", static it => it.Answer ?? default)
    )
{
    public static RecordedRows Table { get; } = new();
}

/// <summary>The keys of interrupts.</summary>
internal sealed class InterruptKeyRows : RowTable<StoredInterrupt>
{
    private InterruptKeyRows()
        : base(Text("thread_id", static it => it.ThreadId), Text("interrupt_id", static it => it.Id)) { }

    public static InterruptKeyRows Table { get; } = new();
}

/// <summary>Messages that were published.</summary>
internal sealed class PublishedNoticeRows : RowTable<Notice>
{
    private PublishedNoticeRows()
        : base(Text("thread_id", static it => it.Run.ThreadId), Text("notice_id", static it => it.Id)) { }

    public static PublishedNoticeRows Table { get; } = new();
}

/// <summary>An answer, and the thread of its interrupt.</summary>
internal readonly record struct AnswerRow(string ThreadId, StoredAnswer Answer);

/// <summary>A message, and the thread that it belongs to.</summary>
internal readonly record struct NoticeRow(string ThreadId, StoredNotice Notice);
