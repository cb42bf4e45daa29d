using System.Collections.Immutable;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Maintains the schema. A definition that no run refers to is retired, and deleted an hour later unless it was submitted in the meantime.
/// A submission stores a definition that is missing or retired, and does not change any other.
/// </summary>
internal sealed class PostgresRetention(PostgresAccess access) : IRetentionStore
{
    private const int Batch = 100;

    private const string Lead = """
        INSERT INTO $schema.upkeep AS u (name, holder, lease_until)
        VALUES ('janitor', $1, now() + $2 * interval '1 millisecond')
        ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
        WHERE u.holder = excluded.holder OR u.lease_until < now()
        RETURNING true
        """;

    /// <summary>Each definition is checked once a day.</summary>
    private const string DropDefinitions = """
        WITH c AS (
            SELECT d.hash, d.retired_at, EXISTS (SELECT FROM $schema.runs AS r WHERE r.definition_hash = d.hash) AS is_used
            FROM $schema.definitions AS d
            WHERE d.checked_at < now() - interval '1 day'
            ORDER BY d.checked_at LIMIT $1 FOR UPDATE SKIP LOCKED),
        dropped AS (
            DELETE FROM $schema.definitions AS d USING c
            WHERE d.hash = c.hash AND NOT c.is_used AND c.retired_at < now() - interval '30 minutes'
            RETURNING 1),
        kept AS (
            UPDATE $schema.definitions AS d SET
                checked_at = now() - CASE WHEN c.is_used THEN interval '0' ELSE interval '23 hours' END,
                retired_at = CASE WHEN c.is_used THEN NULL ELSE coalesce(d.retired_at, now()) END
            FROM c
            WHERE d.hash = c.hash
                AND (c.is_used OR c.retired_at IS NULL OR c.retired_at >= now() - interval '30 minutes'))
        SELECT (SELECT count(*) FROM c) AS seen, (SELECT count(*) FROM dropped) AS dropped
        """;

    public async ValueTask<bool> TryLeadAsync(Lease lease, CancellationToken cancellationToken) =>
        await access.RunAsync(
            async (connection, cancel) =>
            {
                await using var command = connection.With(Lead, lease.Holder, lease.Length.TotalMilliseconds);
                return await command.ExecuteScalarAsync(cancel) is true;
            },
            cancellationToken,
            TimeSpan.Zero
        );

    public async ValueTask<ImmutableArray<string>> UnfinishedDeletionsAsync(
        string after,
        int atMost,
        CancellationToken cancellationToken
    ) =>
        [
            .. await access.RunAsync(
                (connection, cancel) => PostgresDeletion.FindUnfinishedAsync(connection, after, atMost, cancel),
                cancellationToken,
                TimeSpan.Zero
            ),
        ];

    public async ValueTask<int> DropDefinitionsAsync(int atMost, CancellationToken cancellationToken)
    {
        var batch = Math.Min(Batch, atMost);
        var (seen, dropped) = (batch, 0);
        while (seen == batch && dropped < atMost)
        {
            (seen, var deleted) = await access.RunAsync(
                (connection, cancel) =>
                    PostgresFaults.NamedAsync(
                        "definitions that no run uses could not be deleted",
                        () => DropBatchAsync(connection, batch, cancel)
                    ),
                cancellationToken,
                TimeSpan.Zero
            );
            dropped += deleted;
        }
        return dropped;
    }

    private static async Task<(int Seen, int Dropped)> DropBatchAsync(
        PostgresConnection connection,
        int batch,
        CancellationToken cancellationToken
    )
    {
        await using var command = connection.With(DropDefinitions, (long)batch);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        await row.ReadAsync(cancellationToken);
        return ((int)row.Number("seen"), (int)row.Number("dropped"));
    }
}
