using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;
using Microsoft.Data.Sqlite;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// Reads a space's checkpoints and writes backwards from one checkpoint, only as far as a <see cref="DeltaWalk"/> goes: two range scans,
/// however many steps.
/// </summary>
internal sealed class SqliteHistory : IDisposable
{
    private readonly string _threadId;
    private readonly string _ns;
    private readonly SqliteDataReader _checkpoints;
    private readonly SqliteDataReader _writes;
    private readonly Dictionary<string, StoredCheckpoint> _seen = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<StoredWrite>> _seenWrites = new(StringComparer.Ordinal);
    private bool _moreWrites;

    public SqliteHistory(SqliteStatements database, long space, string threadId, string ns, string from)
    {
        (_threadId, _ns) = (threadId, ns);
        _checkpoints = database.Query(
            $"SELECT {SqliteRows.CheckpointColumns} FROM checkpoints WHERE space_id = $1 AND checkpoint_id <= $2 ORDER BY checkpoint_id DESC", space, from);
        _writes = database.Query(
            "SELECT checkpoint_id, task_id, idx, channel, json FROM writes WHERE space_id = $1 AND checkpoint_id <= $2 ORDER BY checkpoint_id DESC, task_id, idx",
            space, from);
        _moreWrites = _writes.Read();
    }

    public StoredCheckpoint? Find(string id)
    {
        StoredCheckpoint? found;
        while (!_seen.TryGetValue(id, out found) && _checkpoints.Read())
        {
            var checkpoint = SqliteRows.ReadCheckpoint(_checkpoints, _threadId, _ns);
            _seen[checkpoint.Id] = checkpoint;
        }
        return found;
    }

    /// <summary>The writes under a checkpoint, in task order.</summary>
    public IReadOnlyCollection<StoredWrite> WritesUnder(string id)
    {
        while (_moreWrites && string.CompareOrdinal(_writes.GetString(0), id) >= 0)
        {
            var under = _writes.GetString(0);
            if (!_seenWrites.TryGetValue(under, out var writes))
            {
                _seenWrites[under] = writes = [];
            }
            writes.Add(new StoredWrite(_writes.GetString(1), _writes.GetInt32(2), _writes.GetString(3), _writes.GetFieldValue<byte[]>(4)));
            _moreWrites = _writes.Read();
        }
        return _seenWrites.TryGetValue(id, out var found) ? found : ImmutableArray<StoredWrite>.Empty;
    }

    public void Dispose()
    {
        _checkpoints.Dispose();
        _writes.Dispose();
    }
}
