using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>New checkpoints.</summary>
internal sealed class CheckpointRows()
    : RowSet<StoredCheckpoint>(
        Sql,
        KeepExisting,
        Text("thread_id", static it => it.ThreadId),
        Text("checkpoint_ns", static it => it.Namespace),
        Text("checkpoint_id", static it => it.Id),
        Text("parent_checkpoint_id", static it => it.ParentId),
        Json("checkpoint", PostgresRows.WriteCheckpoint),
        Json("metadata", PostgresRows.WriteMetadata),
        Bytes("due", static it => it.Due)
    )
{
    private const string Sql = """
        INSERT INTO $schema.checkpoints ($columns)
        SELECT * FROM unnest($values)
        """;
}

/// <summary>The writes of tasks. Writes to special channels replace earlier ones.</summary>
internal sealed class WriteRows()
    : RowSet<WriteRow>(
        Sql,
        OnConflict,
        Text("thread_id", static it => it.Commit.ThreadId),
        Text("checkpoint_ns", static it => it.Commit.Namespace),
        Text("checkpoint_id", static it => it.Commit.WritesUnder),
        Text("task_id", static it => it.Write.TaskId),
        Integer("idx", static it => it.Write.Index),
        Text("channel", static it => it.Write.Channel),
        Bytes("blob", static it => it.Write.Json)
    )
{
    private const string Sql = """
        INSERT INTO $schema.checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob)
        SELECT thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, 'json', blob
        FROM unnest($values) AS w ($columns)
        """;

    private const string OnConflict = """
        ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) DO UPDATE SET blob = excluded.blob
        WHERE excluded.idx < 0
        """;

    public void Add(StepCommit commit)
    {
        foreach (var write in commit.Writes)
        {
            Add(new WriteRow(commit, write));
        }
    }
}

/// <summary>The whole values of channels.</summary>
internal sealed class ValueRows()
    : RowSet<ValueRow>(
        Sql,
        KeepExisting,
        Text("thread_id", static it => it.Commit.ThreadId),
        Text("checkpoint_ns", static it => it.Commit.Namespace),
        Text("channel", static it => it.Value.Channel),
        Text("version", static it => PostgresRows.Version(it.Value.Version)),
        Bytes("blob", static it => it.Value.Json)
    )
{
    private const string Sql = """
        INSERT INTO $schema.checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
        SELECT thread_id, checkpoint_ns, channel, version, 'json', blob
        FROM unnest($values) AS v ($columns)
        """;

    public void Add(StepCommit commit)
    {
        foreach (var value in commit.Values)
        {
            Add(new ValueRow(commit, value));
        }
    }
}

/// <summary>A write of a commit.</summary>
internal readonly record struct WriteRow(StepCommit Commit, StoredWrite Write);

/// <summary>A whole value of a commit.</summary>
internal readonly record struct ValueRow(StepCommit Commit, StoredValue Value);

/// <summary>The keys of checkpoints of one thread.</summary>
internal sealed class CheckpointKeyRows : RowTable<CheckpointKey>
{
    private CheckpointKeyRows()
        : base(Text("ns", static it => it.Namespace), Text("id", static it => it.Id)) { }

    public static CheckpointKeyRows Table { get; } = new();
}

/// <summary>The keys of whole values in one namespace of a thread.</summary>
internal sealed class ValueKeyRows : RowTable<ValueKey>
{
    private ValueKeyRows()
        : base(Text("channel", static it => it.Channel), Text("version", static it => PostgresRows.Version(it.Version))) { }

    public static ValueKeyRows Table { get; } = new();
}

/// <summary>Identifies the whole value of a channel.</summary>
internal readonly record struct ValueKey(string Channel, int Version);
