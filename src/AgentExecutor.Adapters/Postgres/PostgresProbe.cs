using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Checks whether the server can be used: it must answer, accept writes and have free disk space. No table is written. The disk space is
/// checked only after a write has failed because the disk was full: a sort that does not fit into memory writes a temporary file, which the
/// server deletes at the end of the statement.
/// </summary>
internal static class PostgresProbe
{
    private const string State = """
        SELECT pg_is_in_recovery() AS is_standby, current_setting('transaction_read_only') = 'on' AS is_read_only
        """;

    /// <summary>Writes about 4 MB to the temporary file.</summary>
    private const string Spill = """
        SELECT count(*) FROM (SELECT repeat(md5(i::text), 40) AS text FROM generate_series(1, 3000) AS i ORDER BY 1 OFFSET 1) AS sorted
        """;

    /// <exception cref="FaultException">The server cannot be used, with the reason (<see cref="FaultCodes.StoreUnavailable"/>).</exception>
    public static async Task RunAsync(PostgresAccess access, CancellationToken cancellationToken)
    {
        var (isStandby, isReadOnly) = await access.RunAsync(ReadStateAsync, cancellationToken, TimeSpan.Zero);
        if (isStandby)
        {
            throw new FaultException(
                FaultCodes.StoreUnavailable,
                "PostgreSQL does not accept writes: the server is a standby",
                "connect to the primary server (POSTGRES_HOST), or promote this one"
            );
        }
        if (isReadOnly)
        {
            throw new FaultException(
                FaultCodes.StoreUnavailable,
                "PostgreSQL does not accept writes: transactions are read-only (default_transaction_read_only is on)",
                "find out why default_transaction_read_only is on, and set it to off for the server, the database and the role"
            );
        }
        if (access.RefusesWrites)
        {
            await access.RunAsync(SpillAsync, cancellationToken, TimeSpan.Zero);
            access.AcceptsWrites();
        }
    }

    private static async Task<(bool IsStandby, bool IsReadOnly)> ReadStateAsync(
        PostgresConnection connection,
        CancellationToken cancellationToken
    )
    {
        await using var command = connection.With(State);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        await row.ReadAsync(cancellationToken);
        return (row.Flag("is_standby"), row.Flag("is_read_only"));
    }

    private static async Task<bool> SpillAsync(PostgresConnection connection, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.RunAsync("SET LOCAL work_mem = '64kB'", [], cancellationToken);
        await connection.RunAsync(Spill, [], cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }
}
