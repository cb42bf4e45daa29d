using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>New checkpoints.</summary>
internal sealed class CheckpointRows : RowSet
{
    private const string Sql =
        """
        INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata, due)
        SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7)
        """;

    private readonly List<string> _threadId;
    private readonly List<string> _namespace;
    private readonly List<string> _id;
    private readonly List<string?> _parentId;
    private readonly List<byte[]> _checkpoint;
    private readonly List<byte[]> _metadata;
    private readonly List<ReadOnlyMemory<byte>> _due;

    public CheckpointRows()
        : base(Sql, OldStays) => (_threadId, _namespace, _id, _parentId, _checkpoint, _metadata, _due) = (Text(), Text(), Text(), OptionalText(), Json(), Json(), Bytes());

    public void Add(StoredCheckpoint checkpoint)
    {
        _threadId.Add(checkpoint.ThreadId);
        _namespace.Add(checkpoint.Namespace);
        _id.Add(checkpoint.Id);
        _parentId.Add(checkpoint.ParentId);
        _checkpoint.Add(PostgresRows.WriteCheckpoint(checkpoint));
        _metadata.Add(PostgresRows.WriteMetadata(checkpoint));
        _due.Add(checkpoint.Due);
    }
}

/// <summary>Writes of tasks; those of special channels replace earlier ones.</summary>
internal sealed class WriteRows : RowSet
{
    private const string Sql =
        """
        INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob)
        SELECT thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, 'json', blob
        FROM unnest($1, $2, $3, $4, $5, $6, $7) AS w (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, blob)
        """;

    private const string UnlessThere =
        "ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) DO UPDATE SET blob = excluded.blob WHERE excluded.idx < 0";

    private readonly List<string> _threadId;
    private readonly List<string> _namespace;
    private readonly List<string> _under;
    private readonly List<string> _taskId;
    private readonly List<int> _index;
    private readonly List<string> _channel;
    private readonly List<ReadOnlyMemory<byte>> _blob;

    public WriteRows()
        : base(Sql, UnlessThere) => (_threadId, _namespace, _under, _taskId, _index, _channel, _blob) = (Text(), Text(), Text(), Text(), Integer(), Text(), Bytes());

    public void Add(StepCommit commit)
    {
        foreach (var write in commit.Writes)
        {
            _threadId.Add(commit.ThreadId);
            _namespace.Add(commit.Namespace);
            _under.Add(commit.WritesUnder!);
            _taskId.Add(write.TaskId);
            _index.Add(write.Index);
            _channel.Add(write.Channel);
            _blob.Add(write.Json);
        }
    }
}

/// <summary>Whole values of channels.</summary>
internal sealed class ValueRows : RowSet
{
    private const string Sql =
        """
        INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
        SELECT thread_id, checkpoint_ns, channel, version, 'json', blob FROM unnest($1, $2, $3, $4, $5) AS v (thread_id, checkpoint_ns, channel, version, blob)
        """;

    private readonly List<string> _threadId;
    private readonly List<string> _namespace;
    private readonly List<string> _channel;
    private readonly List<string> _version;
    private readonly List<ReadOnlyMemory<byte>> _blob;

    public ValueRows()
        : base(Sql, OldStays) => (_threadId, _namespace, _channel, _version, _blob) = (Text(), Text(), Text(), Text(), Bytes());

    public void Add(StepCommit commit)
    {
        foreach (var value in commit.Values)
        {
            _threadId.Add(commit.ThreadId);
            _namespace.Add(commit.Namespace);
            _channel.Add(value.Channel);
            _version.Add(PostgresRows.Version(value.Version));
            _blob.Add(value.Json);
        }
    }
}
