using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// Stores threads in one SQLite file in WAL mode: readers never wait for the writer, and no completed commit is lost when the process is
/// killed.
/// </summary>
internal sealed class SqliteCheckpointStore : ICheckpointStore, IRunStore, IAsyncDisposable
{
    private readonly SqliteAccess _access;
    private readonly bool _isOwner;

    public SqliteCheckpointStore(SqliteSettings settings)
        : this(new SqliteAccess(settings, TimeProvider.System)) => _isOwner = true;

    /// <param name="access">The file. It is not closed together with the store.</param>
    public SqliteCheckpointStore(SqliteAccess access) => _access = access;

    /// <summary>The file, for other components that use it.</summary>
    public SqliteAccess Access => _access;

    public async ValueTask CommitAsync(StepCommit commit, CancellationToken cancellationToken)
    {
        await _access.WriteAsync(statements => SqliteCommit.Apply(statements, commit, _access.Now), cancellationToken);
        if (commit.Run is { Status: not RunStatus.Running })
        {
            // The run was released, or it has ended and the next run of its thread or of its concurrency key may be due.
            _access.Runs.Set();
        }
    }

    public ValueTask<LoadedCheckpoint?> LoadAsync(string threadId, string ns, string? checkpointId, CancellationToken cancellationToken) =>
        ValueTask.FromResult(
            _access.Read(statements =>
                SqliteCommit.FindSpace(statements, threadId, ns) is { } space ? Load(statements, space, threadId, ns, checkpointId) : null
            )
        );

    public async IAsyncEnumerable<StoredCheckpoint> ListAsync(
        CheckpointQuery query,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        foreach (var checkpoint in _access.Read(statements => List(statements, query)))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return checkpoint;
        }
        await ValueTask.CompletedTask;
    }

    public ValueTask<StoredToolCall?> FindToolCallAsync(string threadId, string taskId, CancellationToken cancellationToken) =>
        ValueTask.FromResult(
            _access.Read(statements =>
            {
                using var row = statements.Query(
                    """
                    SELECT ns, tool, call_id, started_at, ended_at, is_error, output, updates
                    FROM tool_calls
                    WHERE thread_id = $1 AND task_id = $2
                    """,
                    threadId,
                    taskId
                );
                return row.Read() ? SqliteRows.ReadToolCall(row, taskId) : null;
            })
        );

    public ValueTask CopyThreadAsync(string threadId, string checkpointId, string toThreadId, CancellationToken cancellationToken) =>
        _access.WriteAsync(statements => SqliteThreads.Copy(statements, threadId, checkpointId, toThreadId), cancellationToken);

    public ValueTask DeleteThreadAsync(string threadId, CancellationToken cancellationToken) =>
        _access.WriteAsync(statements => SqliteThreads.Delete(statements, threadId, _access.Now), cancellationToken);

    public async ValueTask<int> PruneAsync(string threadId, int keep, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keep, 1);
        return await SqlitePruning.PruneAsync(_access, threadId, keep, cancellationToken);
    }

    public ValueTask<Run?> FindAsync(string threadId, CancellationToken cancellationToken) =>
        ValueTask.FromResult(
            _access.Read(statements =>
            {
                using var row = statements.Query(
                    $"SELECT {SqliteRows.RunColumns} FROM runs WHERE thread_id = $1 {SqliteRows.NewestFirst} LIMIT 1",
                    threadId
                );
                return row.Read() ? SqliteRows.ReadRun(row) : null;
            })
        );

    public ValueTask<long> FindFenceAsync(string threadId, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_access.Read(statements => SqliteThreads.FindFence(statements, threadId)));

    public IAsyncEnumerable<Run> ListAsync(RunQuery query, CancellationToken cancellationToken) =>
        SqliteRunList.ReadAsync(_access, query, cancellationToken);

    public ValueTask<StoredDefinition?> FindDefinitionAsync(string hash, CancellationToken cancellationToken) =>
        ValueTask.FromResult(
            _access.Read(statements =>
                statements.Scalar("SELECT json FROM definitions WHERE hash = $1", hash) is byte[] json
                    ? new StoredDefinition(hash, json)
                    : null
            )
        );

    public ValueTask DisposeAsync() => _isOwner ? _access.DisposeAsync() : ValueTask.CompletedTask;

    private static LoadedCheckpoint? Load(SqliteStatements database, long space, string threadId, string ns, string? id)
    {
        if ((id ?? (string?)database.Scalar("SELECT max(checkpoint_id) FROM checkpoints WHERE space_id = $1", space)) is not { } wanted)
        {
            return null;
        }
        using var history = new SqliteHistory(database, space, threadId, ns, wanted);
        if (history.Find(wanted) is not { } checkpoint)
        {
            return null;
        }
        var values = ImmutableArray.CreateBuilder<StoredValue>();
        foreach (var channel in checkpoint.Channels.Where(channel => !channel.IsDelta))
        {
            if (history.ValueOf(channel.Name, channel.Version) is { Length: > 0 } json)
            {
                values.Add(new StoredValue(channel.Name, channel.Version, json));
            }
        }
        return new LoadedCheckpoint(
            checkpoint,
            values.ToImmutable(),
            DeltaWalk.Histories(checkpoint, history),
            [.. history.WritesUnder(wanted)]
        );
    }

    private static List<StoredCheckpoint> List(SqliteStatements database, CheckpointQuery query)
    {
        var found = new List<StoredCheckpoint>();
        using var row = database.Query(
            $"""
            SELECT {SqliteRows.CheckpointColumns}, ns
            FROM checkpoints JOIN spaces ON spaces.id = space_id
            WHERE thread_id = $1
                AND ($2 IS NULL OR ns = $2)
                AND ($3 IS NULL OR checkpoint_id < $3)
                AND ($4 IS NULL OR source = $4)
                AND ($5 IS NULL OR run_id = $5)
            ORDER BY checkpoint_id DESC LIMIT $6
            """,
            query.ThreadId,
            query.Namespace,
            query.Before,
            query.Source is { } source ? SqliteRows.Name(source) : null,
            query.RunId,
            query.Limit
        );
        while (row.Read())
        {
            found.Add(SqliteRows.ReadCheckpoint(row, query.ThreadId, row.Text("ns")));
        }
        return found;
    }
}
