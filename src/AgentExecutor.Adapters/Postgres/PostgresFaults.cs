using System.Net.Sockets;
using AgentExecutor.Core;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Translates errors of the server or the connection into faults for the caller.</summary>
internal static class PostgresFaults
{
    /// <summary>
    /// Returns true if the same statement may succeed later: the server is restarting, failing over, full or slow, or it ended this
    /// transaction to resolve a deadlock.
    /// </summary>
    public static bool IsTransient(Exception exception) =>
        exception switch
        {
            PostgresException { SqlState: var state } => IsTransient(state) || IsPooler(exception),
            NpgsqlException or TimeoutException or IOException or SocketException => true,
            _ => false,
        };

    /// <summary>
    /// Returns true if a pooler that gives each transaction another connection has refused a start-up parameter, or has lost or mixed up
    /// prepared statements.
    /// </summary>
    public static bool IsPooler(Exception exception) =>
        exception
            is PostgresException { SqlState: PostgresErrorCodes.DuplicatePreparedStatement or PostgresErrorCodes.InvalidSqlStatementName }
        || (
            exception is PostgresException { SqlState: PostgresErrorCodes.ProtocolViolation } refusal
            && refusal.MessageText.Contains("startup parameter", StringComparison.Ordinal)
        );

    /// <summary>Returns true if a pooler in statement mode has refused to begin a transaction.</summary>
    public static bool IsStatementMode(Exception exception) =>
        exception is PostgresException refusal && refusal.MessageText.Contains("statement pooling mode", StringComparison.Ordinal);

    /// <summary>Returns true if two transactions were in conflict. This is not an outage, and the statement is retried at once.</summary>
    public static bool IsConflict(Exception exception) =>
        exception is PostgresException { SqlState: PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected };

    /// <summary>
    /// Returns true if the statement waited too long for a lock. This is not an outage, and in a batch a single row causes it.
    /// </summary>
    public static bool IsLock(Exception exception) =>
        exception is PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled };

    /// <summary>
    /// Returns true if the server answers but its disk is full or it is read-only: it is a standby, or <c>default_transaction_read_only</c>
    /// is on.
    /// </summary>
    public static bool RefusesWrites(Exception exception) =>
        exception is PostgresException { SqlState: PostgresErrorCodes.DiskFull or PostgresErrorCodes.ReadOnlySqlTransaction };

    /// <summary>Says what is wrong and what to do about it, for the log.</summary>
    public static string Explain(Exception exception)
    {
        var reason = Describe(exception).TrimEnd('.');
        return RefusesWrites(exception) ? $"{reason}; {HintFor(exception)}" : reason;
    }

    /// <summary>Returns true if the statement exceeded <c>statement_timeout</c>. With fewer rows it may succeed.</summary>
    public static bool IsStatementTimeout(Exception? exception) =>
        exception is PostgresException { SqlState: PostgresErrorCodes.QueryCanceled };

    public static FaultException Unavailable(Exception exception) =>
        new(FaultCodes.StoreUnavailable, $"PostgreSQL is not available: {Describe(exception)}", HintFor(exception), exception);

    /// <summary>Creates the fault for a maintenance statement that is better retried later than waited for.</summary>
    public static FaultException TookTooLong(string what, PostgresException exception) =>
        new(
            FaultCodes.StoreTimeout,
            $"{what}: {Describe(exception)}",
            "try again later; find the session that holds locks on its rows, or raise AGENT_EXECUTOR_POSTGRES_STATEMENT_TIMEOUT_SECONDS",
            exception
        )
        {
            IsTransient = true,
        };

    /// <summary>Runs a maintenance statement, and names its purpose in the fault if it takes too long.</summary>
    public static async Task<T> NamedAsync<T>(string failure, Func<Task<T>> run)
    {
        try
        {
            return await run();
        }
        catch (PostgresException exception) when (IsLock(exception))
        {
            throw TookTooLong(failure, exception);
        }
    }

    /// <summary>At start-up, a server that refuses this client is reported as an invalid setting and not as an outage.</summary>
    public static FaultException AtStart(FaultException fault) =>
        fault.InnerException is { } inner && IsSetting(inner)
            ? new FaultException("invalid_settings", fault.Message, fault.Hint, inner)
            : fault;

    private static bool IsSetting(Exception exception) =>
        IsStatementMode(exception)
        || exception is PostgresException { SqlState: ['2', '8', ..] or ['3', 'D', ..] }
        || IsNoPassword(exception);

    private static bool IsNoPassword(Exception exception) =>
        exception is NpgsqlException and not PostgresException && exception.Message.StartsWith("No password", StringComparison.Ordinal);

    /// <summary>Creates the fault for a commit that the server will never accept.</summary>
    public static FaultException Refused(Exception exception) =>
        exception as FaultException
        ?? (
            IsMissingSchema(exception)
                ? Unavailable(exception)
                : new FaultException(
                    FaultCodes.StoreRefused,
                    $"PostgreSQL refused a write: {Describe(exception)}",
                    HintFor(exception),
                    exception
                )
        );

    /// <summary>Describes the error in one sentence, without the values that were sent, because they must not be logged.</summary>
    public static string Describe(Exception exception) =>
        exception switch
        {
            _ when IsStatementMode(exception) =>
                "the connection pooler in front of it uses statement mode (pool_mode = statement), which allows no transactions",
            PostgresException server => $"{server.MessageText} ({server.SqlState})",
            { InnerException: SocketException or TimeoutException or IOException } => exception.InnerException!.Message,
            _ => exception.Message,
        };

    private static bool IsMissingSchema(Exception exception) =>
        exception is PostgresException { SqlState: var state }
        && state is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn or PostgresErrorCodes.InvalidSchemaName;

    private static string? HintFor(Exception exception) =>
        exception switch
        {
            _ when IsMissingSchema(exception) => "bring the schema up to date with: agent-executor migrate",
            PostgresException { SqlState: PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification } =>
                "check POSTGRES_USER and POSTGRES_PASSWORD",
            _ when IsStatementMode(exception) =>
                "set pool_mode = transaction or pool_mode = session for this database in the pooler, or connect to PostgreSQL itself",
            _ when IsNoPassword(exception) => "check POSTGRES_PASSWORD",
            PostgresException { SqlState: PostgresErrorCodes.InvalidCatalogName } => "check POSTGRES_DB",
            PostgresException { SqlState: PostgresErrorCodes.DiskFull } =>
                "free space on the disk of the PostgreSQL server; runs wait and continue afterwards",
            PostgresException { SqlState: PostgresErrorCodes.ReadOnlySqlTransaction } =>
                "connect to the primary server (POSTGRES_HOST), or find out why default_transaction_read_only is on; "
                    + "runs wait and continue afterwards",
            PostgresException => null,
            _ => "check that the server is running, and check POSTGRES_HOST and POSTGRES_PORT",
        };

    /// <summary>
    /// Returns true for these classes: connection (08), authorization (28), missing database (3D), rollback (40), resources (53), wrong
    /// state (55), intervention (57), system (58), and for the code of read-only transactions (25006).
    /// </summary>
    private static bool IsTransient(string state) =>
        state[..2] is "08" or "28" or "3D" or "40" or "53" or "55" or "57" or "58" || state == PostgresErrorCodes.ReadOnlySqlTransaction;
}
