using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// The history of one namespace of a thread, from one checkpoint backwards. It is read with two range scans, and only as far as it is used.
/// </summary>
internal sealed class SqliteHistory : ICheckpointHistory, IDisposable
{
    private readonly SqliteStatements _database;
    private readonly long _space;
    private readonly string _threadId;
    private readonly string _ns;
    private readonly SqliteRowReader _parents;
    private readonly SqliteRowReader _writes;
    private readonly Dictionary<string, string?> _seenParents = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<StoredWrite>> _seenWrites = new(StringComparer.Ordinal);
    private bool _moreWrites;

    public SqliteHistory(SqliteStatements database, long space, string threadId, string ns, string from)
    {
        (_database, _space, _threadId, _ns) = (database, space, threadId, ns);
        _parents = database.Query(
            """
            SELECT checkpoint_id, parent_id
            FROM checkpoints
            WHERE space_id = $1 AND checkpoint_id <= $2
            ORDER BY checkpoint_id DESC
            """,
            space,
            from
        );
        _writes = database.Query(
            """
            SELECT checkpoint_id, task_id, idx, channel, json
            FROM writes
            WHERE space_id = $1 AND checkpoint_id <= $2
            ORDER BY checkpoint_id DESC, task_id DESC, idx DESC
            """,
            space,
            from
        );
        _moreWrites = _writes.Read();
    }

    public string? ParentOf(string checkpointId) =>
        TryRead(checkpointId, out var parent) && parent is not null && TryRead(parent, out _) ? parent : null;

    public StoredCheckpoint? Find(string checkpointId)
    {
        using var row = _database.Query(
            $"SELECT {SqliteRows.CheckpointColumns} FROM checkpoints WHERE space_id = $1 AND checkpoint_id = $2",
            _space,
            checkpointId
        );
        return row.Read() ? SqliteRows.ReadCheckpoint(row, _threadId, _ns) : null;
    }

    public IReadOnlyList<StoredWrite> WritesUnder(string checkpointId)
    {
        while (_moreWrites && _writes.Text("checkpoint_id") is var under && string.CompareOrdinal(under, checkpointId) >= 0)
        {
            if (!_seenWrites.TryGetValue(under, out var writes))
            {
                _seenWrites[under] = writes = [];
            }
            writes.Insert(0, SqliteRows.ReadWrite(_writes));
            _moreWrites = _writes.Read();
        }
        return _seenWrites.TryGetValue(checkpointId, out var found) ? found : [];
    }

    public ReadOnlyMemory<byte> ValueOf(string channel, int version) => FindValue(_database, _space, channel, version);

    public static byte[]? FindValue(SqliteStatements database, long space, string channel, int version) =>
        database.Scalar("SELECT json FROM channel_values WHERE space_id = $1 AND channel = $2 AND version = $3", space, channel, version)
        as byte[];

    public void Dispose()
    {
        _parents.Dispose();
        _writes.Dispose();
    }

    private bool TryRead(string checkpointId, out string? parent)
    {
        while (!_seenParents.TryGetValue(checkpointId, out parent))
        {
            if (!_parents.Read())
            {
                return false;
            }
            _seenParents[_parents.Text("checkpoint_id")] = _parents.OptionalText("parent_id");
        }
        return true;
    }
}
