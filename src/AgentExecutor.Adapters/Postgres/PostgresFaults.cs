using System.Net.Sockets;
using AgentExecutor.Core;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>What an error of the server or the connection means for whoever caused it.</summary>
internal static class PostgresFaults
{
    /// <summary>The same statement may succeed later: the server restarts, fails over, is full or slow, or chose this transaction to break a deadlock.</summary>
    public static bool IsTransient(Exception exception) => exception switch
    {
        PostgresException { SqlState: var state } => IsTransient(state),
        NpgsqlException or TimeoutException or IOException or SocketException => true,
        _ => false,
    };

    /// <summary>Two transactions were in each other's way: no outage, and tried again at once.</summary>
    public static bool IsConflict(Exception exception) => exception is PostgresException { SqlState: PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected };

    /// <summary>Something that the statement touched was locked for too long: no outage, and of a batch the fault of one row.</summary>
    public static bool IsLock(Exception exception) => exception is PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled };

    public static FaultException Unavailable(Exception exception) => new(
        FaultCodes.StoreUnavailable, $"PostgreSQL is not available: {Describe(exception)}", HintFor(exception), exception);

    /// <summary>At the start, a server that is there and will not have us is a wrong setting, not an outage.</summary>
    public static FaultException AtStart(FaultException fault) => fault.InnerException is { } inner && IsSetting(inner)
        ? new FaultException("invalid_settings", fault.Message, fault.Hint, inner)
        : fault;

    private static bool IsSetting(Exception exception) =>
        exception is PostgresException { SqlState: ['2', '8', ..] or ['3', 'D', ..] } || IsNoPassword(exception);

    private static bool IsNoPassword(Exception exception) =>
        exception is NpgsqlException and not PostgresException && exception.Message.StartsWith("No password", StringComparison.Ordinal);

    /// <summary>For a commit that the server will not take, today or tomorrow.</summary>
    public static FaultException Refused(Exception exception) => exception as FaultException ?? (IsMissingSchema(exception)
        ? Unavailable(exception)
        : new FaultException(FaultCodes.StoreRefused, $"PostgreSQL refused a write: {Describe(exception)}", HintFor(exception), exception));

    /// <summary>One sentence, without what was sent: values are none of a log's business.</summary>
    public static string Describe(Exception exception) => exception switch
    {
        PostgresException server => $"{server.MessageText} ({server.SqlState})",
        { InnerException: SocketException or TimeoutException or IOException } => exception.InnerException!.Message,
        _ => exception.Message,
    };

    private static bool IsMissingSchema(Exception exception) => exception is PostgresException
    {
        SqlState: PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn or PostgresErrorCodes.InvalidSchemaName
    };

    private static string? HintFor(Exception exception) => exception switch
    {
        _ when IsMissingSchema(exception) => "bring the schema up to date with: agent-executor migrate",
        PostgresException { SqlState: PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification } => "see POSTGRES_USER and POSTGRES_PASSWORD",
        _ when IsNoPassword(exception) => "see POSTGRES_PASSWORD",
        PostgresException { SqlState: PostgresErrorCodes.InvalidCatalogName } => "see POSTGRES_DB",
        PostgresException => null,
        _ => "see that the server runs, and POSTGRES_HOST and POSTGRES_PORT",
    };

    /// <summary>By class: connection (08), authorisation (28), missing database (3D), rollback (40), resources (53), not in this state (55), intervention (57), system (58); and read-only (25006).</summary>
    private static bool IsTransient(string state) => state[..2] is "08" or "28" or "3D" or "40" or "53" or "55" or "57" or "58" || state == PostgresErrorCodes.ReadOnlySqlTransaction;
}
