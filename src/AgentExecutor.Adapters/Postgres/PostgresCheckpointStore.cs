using System.Runtime.CompilerServices;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Stores threads in PostgreSQL, with checkpoints in LangGraph's layout. <see cref="PostgresCommitter"/> batches the commits. Reads use the
/// connection pool.
/// </summary>
internal sealed class PostgresCheckpointStore(PostgresAccess access, int committers) : ICheckpointStore, IRunStore, IAsyncDisposable
{
    private readonly PostgresCommitter _committer = new(access, committers);

    public ValueTask CommitAsync(StepCommit commit, CancellationToken cancellationToken) =>
        _committer.CommitAsync(commit, cancellationToken);

    public async ValueTask<LoadedCheckpoint?> LoadAsync(
        string threadId,
        string ns,
        string? checkpointId,
        CancellationToken cancellationToken
    ) =>
        await access.RunAsync(
            (connection, cancel) => PostgresLoad.LoadAsync(connection, threadId, ns, checkpointId, cancel),
            cancellationToken
        );

    public async IAsyncEnumerable<StoredCheckpoint> ListAsync(
        CheckpointQuery query,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        foreach (var checkpoint in await access.RunAsync((connection, cancel) => ListAsync(connection, query, cancel), cancellationToken))
        {
            yield return checkpoint;
        }
    }

    public async ValueTask<StoredToolCall?> FindToolCallAsync(string threadId, string taskId, CancellationToken cancellationToken) =>
        await access.RunAsync(
            async (connection, cancel) =>
            {
                await using var command = connection.With(
                    """
                    SELECT checkpoint_ns, tool, call_id, started_at, ended_at, is_error, output, updates
                    FROM $schema.tool_calls
                    WHERE thread_id = $1 AND task_id = $2
                    """,
                    threadId,
                    taskId
                );
                await using var row = await command.ExecuteReaderAsync(cancel);
                return await row.ReadAsync(cancel) ? PostgresRows.ReadToolCall(row, taskId) : null;
            },
            cancellationToken
        );

    public async ValueTask CopyThreadAsync(string threadId, string checkpointId, string toThreadId, CancellationToken cancellationToken) =>
        await access.RunAsync(
            async (connection, cancel) =>
            {
                await PostgresThreads.CopyAsync(connection, threadId, checkpointId, toThreadId, cancel);
                return true;
            },
            cancellationToken
        );

    public async ValueTask DeleteThreadAsync(string threadId, CancellationToken cancellationToken) =>
        await PostgresDeletion.DeleteAsync(access, threadId, cancellationToken);

    public async ValueTask<int> PruneAsync(string threadId, int keep, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keep, 1);
        return await access.RunAsync(
            (connection, cancel) =>
                PostgresFaults.NamedAsync(
                    $"checkpoints of the thread '{threadId}' could not be deleted",
                    () => PostgresThreads.PruneAsync(connection, threadId, keep, cancel)
                ),
            cancellationToken,
            TimeSpan.Zero
        );
    }

    public async ValueTask<Run?> FindAsync(string threadId, CancellationToken cancellationToken) =>
        await access.RunAsync(
            async (connection, cancel) =>
            {
                await using var command = connection.With(
                    $"SELECT {PostgresRows.RunColumns} FROM $schema.threads WHERE thread_id = $1 AND deletion_started_at IS NULL",
                    threadId
                );
                await using var row = await command.ExecuteReaderAsync(cancel);
                return await row.ReadAsync(cancel) ? PostgresRows.ReadRun(row) : null;
            },
            cancellationToken
        );

    public async ValueTask<long> FindFenceAsync(string threadId, CancellationToken cancellationToken) =>
        await access.RunAsync(
            async (connection, cancel) =>
            {
                await using var command = connection.With(
                    """
                    SELECT coalesce(
                        (SELECT fence FROM $schema.threads WHERE thread_id = $1),
                        (SELECT fence FROM $schema.deleted_fences)) AS fence
                    """,
                    threadId
                );
                await using var row = await command.ExecuteReaderAsync(cancel);
                return await row.ReadAsync(cancel) ? row.Number("fence") : 0;
            },
            cancellationToken
        );

    public IAsyncEnumerable<Run> ListAsync(RunQuery query, CancellationToken cancellationToken) =>
        PostgresRunList.ReadAsync(access, query, cancellationToken);

    public async ValueTask<StoredDefinition?> FindDefinitionAsync(string hash, CancellationToken cancellationToken) =>
        await access.RunAsync(
            async (connection, cancel) =>
            {
                await using var command = connection.With("SELECT json FROM $schema.definitions WHERE hash = $1", hash);
                return await command.ExecuteScalarAsync(cancel) is byte[] json ? new StoredDefinition(hash, json) : null;
            },
            cancellationToken
        );

    public async ValueTask DisposeAsync()
    {
        await _committer.DisposeAsync();
        await access.DisposeAsync();
    }

    private static async Task<List<StoredCheckpoint>> ListAsync(
        PostgresConnection connection,
        CheckpointQuery query,
        CancellationToken cancellationToken
    )
    {
        await using var command = connection.With(
            $"""
            SELECT {PostgresRows.CheckpointColumns}, checkpoint_ns
            FROM $schema.checkpoints
            WHERE thread_id = $1 AND {PostgresRows.IsNotBeingDeleted}
                AND ($2::text IS NULL OR checkpoint_ns = $2)
                AND ($3::text IS NULL OR checkpoint_id < $3)
                AND ($4::text IS NULL OR metadata->>'source' = $4)
                AND ($5::text IS NULL OR metadata->>'run_id' = $5)
            ORDER BY checkpoint_id DESC LIMIT $6
            """,
            query.ThreadId,
            query.Namespace,
            query.Before,
            query.Source is { } source ? PostgresRows.Name(source) : null,
            query.RunId,
            query.Limit
        );
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var found = new List<StoredCheckpoint>();
        while (await row.ReadAsync(cancellationToken))
        {
            found.Add(PostgresRows.ReadCheckpoint(row, query.ThreadId, row.Text("checkpoint_ns")));
        }
        return found;
    }
}
