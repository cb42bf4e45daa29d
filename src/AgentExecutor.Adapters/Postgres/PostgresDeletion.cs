using AgentExecutor.Core;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Deletes whole threads in a way that can be interrupted at any moment and finished by any process later:
/// <list type="number">
/// <item>One transaction marks the thread as being deleted (<c>deletion_started_at</c>) and deletes its runs. From then on nothing of the
/// thread can run, readers do not find it, and a submission to it waits.</item>
/// <item>Short transactions delete the thread's data in batches of rows. Each locks the row of the thread and checks the mark first, so two
/// processes that delete the same thread alternate, and neither touches a thread with the same id that was submitted since.</item>
/// <item>The transaction that finds nothing left deletes the row of the thread.</item>
/// </list>
/// </summary>
internal static class PostgresDeletion
{
    private const int Batch = 1_000;
    private const int LeastBatch = 1;

    private const string Lock = "SELECT FROM $schema.threads WHERE thread_id = $1 FOR UPDATE";

    private const string IsMarked = "EXISTS (SELECT FROM $schema.threads WHERE thread_id = $1 AND deletion_started_at IS NOT NULL)";

    private const string Waits = "EXISTS (SELECT FROM $schema.runs WHERE thread_id = $1 AND status = 'pending' AND is_queued)";

    /// <summary>Sets the mark. The status of a finished run is kept, because a constraint prevents it from changing.</summary>
    private const string Mark = $"""
        UPDATE $schema.threads SET
            deletion_started_at = now(), fence = fence + 1, is_held = false, lease_until = NULL, finished_at = NULL,
            cancel_requested = false,
            status = CASE WHEN status IN ('completed', 'failed', 'cancelled') THEN status ELSE 'cancelled' END
        WHERE thread_id = $1 AND deletion_started_at IS NULL
            AND NOT (is_held AND (is_queued OR lease_until > now())) AND NOT {Waits}
            AND NOT EXISTS (SELECT FROM $schema.outbox WHERE thread_id = $1 AND announced_at IS NULL)
        """;

    /// <summary>
    /// Stores the fencing token from which a new thread starts. It is greater than any token of a thread that is being deleted.
    /// </summary>
    private const string KeepFence = """
        UPDATE $schema.deleted_fences AS d SET fence = t.fence FROM $schema.threads AS t
        WHERE t.thread_id = $1 AND t.deletion_started_at IS NOT NULL AND d.fence < t.fence
        """;

    private const string DeleteRuns =
        $"DELETE FROM $schema.runs WHERE thread_id = $1 AND NOT (status = 'pending' AND is_queued) AND {IsMarked}";

    private const string Find = "SELECT deletion_started_at IS NOT NULL AS is_being_deleted FROM $schema.threads WHERE thread_id = $1";

    private static readonly string[] Tables =
    [
        "checkpoint_writes",
        "checkpoint_blobs",
        "checkpoints",
        "events",
        "tool_calls",
        "outbox",
        "interrupts",
        "notices",
        "budget_reservations",
    ];

    private static readonly string[] DeleteRows = Array.ConvertAll(
        Tables,
        table =>
            $"""
                DELETE FROM $schema.{table}
                WHERE {IsMarked} AND ctid = ANY (ARRAY (SELECT ctid FROM $schema.{table} WHERE thread_id = $1 LIMIT $2))
                """
    );

    private static readonly string IsEmpty = string.Join(
        " AND ",
        Tables.Select(table => $"NOT EXISTS (SELECT FROM $schema.{table} WHERE thread_id = $1)")
    );

    private static readonly string Finish =
        $"DELETE FROM $schema.threads WHERE thread_id = $1 AND deletion_started_at IS NOT NULL AND {IsEmpty} AND NOT {Waits}";

    /// <summary>Reopens the empty thread if an older version of the program has stored a run for it while it was being deleted.</summary>
    private static readonly string Reopen = $"""
        UPDATE $schema.threads SET deletion_started_at = NULL
        WHERE thread_id = $1 AND deletion_started_at IS NOT NULL AND {IsEmpty} AND {Waits}
        """;

    /// <summary>Starts or resumes the deletion and finishes it. Does nothing if there is no such thread.</summary>
    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.ThreadBusy"/>: a worker holds the thread, a run waits for it, or an outcome has not been published. <see
    /// cref="FaultCodes.StoreTimeout"/>: a batch took too long or waited too long for a lock. The deletion can be resumed. <see
    /// cref="FaultCodes.StoreUnavailable"/>: the server cannot be reached.
    /// </exception>
    public static async Task DeleteAsync(PostgresAccess access, string threadId, CancellationToken cancellationToken)
    {
        switch (await RunAsync(access, threadId, BeginAsync, cancellationToken))
        {
            case null:
                await RunAsync(access, threadId, DeleteOrphansAsync, cancellationToken);
                break;
            case false:
                throw new FaultException(
                    FaultCodes.ThreadBusy,
                    $"the thread '{threadId}' is in use: a worker holds it, a run waits for it, or an outcome of it has not been published",
                    "delete the thread after its runs have ended"
                );
            default:
                await FinishAsync(access, threadId, cancellationToken);
                break;
        }
    }

    /// <summary>Finishes a deletion that any process has started. Does nothing if there is none.</summary>
    public static async Task FinishAsync(PostgresAccess access, string threadId, CancellationToken cancellationToken)
    {
        var batch = Batch;
        var isDone = false;
        while (!isDone)
        {
            try
            {
                isDone = await RunAsync(
                    access,
                    threadId,
                    (connection, id, cancel) => DeleteBatchAsync(connection, id, batch, cancel),
                    cancellationToken
                );
            }
            catch (FaultException fault) when (PostgresFaults.IsStatementTimeout(fault.InnerException) && batch > LeastBatch)
            {
                batch /= 2;
            }
        }
    }

    /// <summary>Finishes the deletions of these threads within a time limit.</summary>
    /// <exception cref="FaultException">
    /// The time limit was exceeded (<see cref="FaultCodes.StoreTimeout"/>). What has been deleted stays deleted.
    /// </exception>
    public static async Task FinishAsync(
        PostgresAccess access,
        IEnumerable<string> threadIds,
        TimeSpan timeout,
        CancellationToken cancellationToken
    )
    {
        using var limit = new CancellationTokenSource(timeout, access.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        foreach (var threadId in threadIds)
        {
            try
            {
                await FinishAsync(access, threadId, either.Token);
            }
            catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                throw new FaultException(
                    FaultCodes.StoreTimeout,
                    $"the thread '{threadId}' is still being deleted",
                    "try again later; any process can continue the deletion"
                )
                {
                    IsTransient = true,
                };
            }
        }
    }

    /// <summary>
    /// Returns threads whose deletion has been started, in order of their ids and starting after <paramref name="after"/>.
    /// </summary>
    public static async Task<List<string>> FindUnfinishedAsync(
        PostgresConnection connection,
        string after,
        int atMost,
        CancellationToken cancellationToken
    )
    {
        const string Unfinished = """
            SELECT thread_id FROM $schema.threads
            WHERE deletion_started_at IS NOT NULL AND thread_id > $1
            ORDER BY thread_id LIMIT $2
            """;
        await using var command = connection.With(Unfinished, after, (long)atMost);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var found = new List<string>();
        while (await row.ReadAsync(cancellationToken))
        {
            found.Add(row.Text("thread_id"));
        }
        return found;
    }

    /// <summary>Returns true if the thread is being deleted now, false if it is in use, and null if there is none.</summary>
    private static async Task<bool?> BeginAsync(PostgresConnection connection, string threadId, CancellationToken cancellationToken)
    {
        // The lock is acquired by a statement of its own, so that the statements after it see every run that was submitted before.
        await using var batch = BatchOf(connection, threadId, [Lock, Mark, KeepFence, DeleteRuns, Find]);
        return await LastAsync(batch, cancellationToken);
    }

    /// <summary>Returns true once nothing is left.</summary>
    private static async Task<bool> DeleteBatchAsync(
        PostgresConnection connection,
        string threadId,
        int atMost,
        CancellationToken cancellationToken
    )
    {
        await using var batch = connection.Batch([
            PostgresCommands.BatchCommand(Lock, threadId),
            .. DeleteRows.Select(statement => PostgresCommands.BatchCommand(statement, threadId, (long)atMost)),
            .. ((string[])[DeleteRuns, Finish, Reopen, Find]).Select(statement => PostgresCommands.BatchCommand(statement, threadId)),
        ]);
        return await LastAsync(batch, cancellationToken) is not true;
    }

    /// <summary>Deletes data of a thread without a run, such as a copy whose run was never created.</summary>
    private static async Task<bool> DeleteOrphansAsync(PostgresConnection connection, string threadId, CancellationToken cancellationToken)
    {
        const string NoThread = "NOT EXISTS (SELECT FROM $schema.threads WHERE thread_id = $1)";
        await using var batch = BatchOf(
            connection,
            threadId,
            Tables.Select(table => $"DELETE FROM $schema.{table} WHERE thread_id = $1 AND {NoThread}")
        );
        await batch.ExecuteNonQueryAsync(cancellationToken);
        return true;
    }

    /// <summary>Returns what the last statement found, or null if it found nothing.</summary>
    private static async Task<bool?> LastAsync(PostgresCommand batch, CancellationToken cancellationToken)
    {
        await using var row = await batch.ExecuteReaderAsync(cancellationToken);
        // Skips the result of the lock.
        await row.NextResultAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken) ? row.Flag("is_being_deleted") : null;
    }

    private static PostgresCommand BatchOf(PostgresConnection connection, string threadId, IEnumerable<string> statements) =>
        connection.Batch([.. statements.Select(statement => PostgresCommands.BatchCommand(statement, threadId))]);

    /// <summary>
    /// Runs one transaction of a deletion once. A lock or a slow statement is reported at once instead of being retried for minutes, so
    /// that other threads can be deleted in the meantime.
    /// </summary>
    private static Task<T> RunAsync<T>(
        PostgresAccess access,
        string threadId,
        Func<PostgresConnection, string, CancellationToken, Task<T>> use,
        CancellationToken cancellationToken
    )
    {
        return access.RunAsync(RunOnceAsync, cancellationToken, TimeSpan.Zero);

        async Task<T> RunOnceAsync(PostgresConnection connection, CancellationToken cancel)
        {
            try
            {
                return await use(connection, threadId, cancel);
            }
            catch (PostgresException exception) when (PostgresFaults.IsLock(exception))
            {
                throw PostgresFaults.TookTooLong($"the thread '{threadId}' could not be deleted", exception);
            }
        }
    }
}
