using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// Reads the logged events of commits. Each call reads one snapshot with many small statements, which need no round trips within the
/// process.
/// </summary>
internal sealed class SqliteEventLog(SqliteAccess access) : IEventLog
{
    public ValueTask<LogPage?> ReadAsync(string threadId, long after, int limit, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(
            access.Read(database => Position(database, threadId) is { } position ? Page(database, position, after, limit) : null)
        );
    }

    public ValueTask<ImmutableArray<LogPosition>> ReadPositionsAsync(ImmutableArray<string> threadIds, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult<ImmutableArray<LogPosition>>(
            access.Read(database => threadIds.Distinct().Select(id => Position(database, id)).OfType<LogPosition>().ToImmutableArray())
        );
    }

    public ValueTask<ImmutableArray<StoredChange>> ReadChangesAsync(
        string threadId,
        ImmutableArray<CheckpointKey> checkpoints,
        CancellationToken cancellationToken
    )
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(access.Read(database => Changes(database, threadId, checkpoints)));
    }

    private static LogPosition? Position(SqliteStatements database, string threadId)
    {
        using var row = database.Query(
            $"SELECT last_sequence, status FROM runs WHERE thread_id = $1 {SqliteRows.NewestFirst} LIMIT 1",
            threadId
        );
        return row.Read() ? new LogPosition(threadId, row.Number("last_sequence"), SqliteRows.ReadStatus(row.Text("status"))) : null;
    }

    private static LogPage Page(SqliteStatements database, LogPosition position, long after, int limit)
    {
        var commits = ImmutableArray.CreateBuilder<StoredEvents>();
        using var row = database.Query(
            "SELECT sequence, json FROM events WHERE thread_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
            position.ThreadId,
            after,
            limit + 1L
        );
        while (commits.Count < limit && row.Read())
        {
            commits.Add(new StoredEvents(row.Number("sequence"), row.Bytes("json")));
        }
        return new LogPage(commits.ToImmutable(), position, commits.Count == limit && row.Read());
    }

    private static ImmutableArray<StoredChange> Changes(
        SqliteStatements database,
        string threadId,
        ImmutableArray<CheckpointKey> checkpoints
    )
    {
        var changes = ImmutableArray.CreateBuilder<StoredChange>(checkpoints.Length);
        foreach (var keys in checkpoints.Distinct().GroupBy(key => key.Namespace))
        {
            if (SqliteCommit.FindSpace(database, threadId, keys.Key) is { } space)
            {
                changes.AddRange(keys.Select(key => Change(database, space, key)).OfType<StoredChange>());
            }
        }
        return changes.ToImmutable();
    }

    private static StoredChange? Change(SqliteStatements database, long space, CheckpointKey key)
    {
        string? parent;
        ImmutableArray<ChannelVersion> channels;
        ImmutableArray<string> updated;
        using (
            var row = database.Query(
                "SELECT parent_id, channels FROM checkpoints WHERE space_id = $1 AND checkpoint_id = $2",
                space,
                key.Id
            )
        )
        {
            if (!row.Read())
            {
                return null;
            }
            parent = row.OptionalText("parent_id");
            (channels, updated) = SqliteRows.ReadChannels(row.Text("channels"));
        }
        return new StoredChange(
            key,
            updated,
            parent is null ? [] : Writes(database, space, parent, updated),
            Values(database, space, channels.Where(channel => updated.Contains(channel.Name)))
        );
    }

    private static ImmutableArray<StoredWrite> Writes(SqliteStatements database, long space, string under, ImmutableArray<string> channels)
    {
        var writes = ImmutableArray.CreateBuilder<StoredWrite>();
        using var row = database.Query(
            "SELECT task_id, idx, channel, json FROM writes WHERE space_id = $1 AND checkpoint_id = $2 ORDER BY task_id, idx",
            space,
            under
        );
        while (row.Read())
        {
            var channel = row.Text("channel");
            if (channels.Contains(channel) && !SpecialChannel.Contains(channel))
            {
                writes.Add(SqliteRows.ReadWrite(row));
            }
        }
        return writes.ToImmutable();
    }

    private static ImmutableArray<StoredValue> Values(SqliteStatements database, long space, IEnumerable<ChannelVersion> channels)
    {
        var values = ImmutableArray.CreateBuilder<StoredValue>();
        foreach (var channel in channels)
        {
            if (SqliteHistory.FindValue(database, space, channel.Name, channel.Version) is { } json)
            {
                values.Add(new StoredValue(channel.Name, channel.Version, json));
            }
        }
        return values.ToImmutable();
    }
}
