using System.Threading.Channels;
using AgentExecutor.Core;
using Microsoft.Data.Sqlite;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// One open database file, which the store, the queue, the outbox and the bus of a process share: one thread writes for them all, so that what they commit
/// at once is one fsync, and each reads on its own.
/// </summary>
internal sealed class SqliteAccess : IAsyncDisposable
{
    private readonly SqliteDatabase _database;
    private readonly SqliteWriter _writer;
    private readonly long _opened;
    private SqliteStatements? _statements; // the writer's; used on its thread alone

    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>: the file cannot be opened, or is of a newer version.</exception>
    public SqliteAccess(SqliteSettings settings, TimeProvider time)
    {
        (Time, _opened) = (time, time.GetTimestamp());
        _database = SqliteDatabase.Open(settings);
        _writer = new SqliteWriter(_database);
    }

    public TimeProvider Time { get; }

    /// <summary>Milliseconds since 1970, as rows hold times that are compared.</summary>
    public long Now => Time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>How long this process has had the file open.</summary>
    public TimeSpan Age => Time.GetElapsedTime(_opened);

    /// <summary>A run may have become due.</summary>
    public SqliteSignal Runs { get; } = new();

    /// <summary>A job of the bus may have become due.</summary>
    public SqliteSignal Messages { get; } = new();

    /// <summary>Writes in a transaction; done when it is durable. The job may be undone and run again, so it sets what it returns and adds to nothing.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>: the disk is full, the file is locked, or the store was closed.</exception>
    public async ValueTask WriteAsync(Action<SqliteStatements> job, CancellationToken cancellationToken)
    {
        try
        {
            await _writer.RunAsync(connection => job(_statements ??= new SqliteStatements(connection)), cancellationToken);
        }
        catch (ChannelClosedException closed)
        {
            throw new FaultException(FaultCodes.StoreUnavailable, "the database was closed", "start the program again", closed);
        }
    }

    /// <inheritdoc cref="WriteAsync(Action{SqliteStatements}, CancellationToken)"/>
    public async ValueTask<T> WriteAsync<T>(Func<SqliteStatements, T> job, CancellationToken cancellationToken)
    {
        T result = default!;
        await WriteAsync(statements => { result = job(statements); }, cancellationToken);
        return result;
    }

    /// <summary>Reads from one snapshot of the database.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>: the file cannot be read.</exception>
    public T Read<T>(Func<SqliteStatements, T> read)
    {
        try
        {
            using var connection = _database.ConnectToRead();
            using var statements = new SqliteStatements(connection);
            using var snapshot = connection.BeginTransaction(deferred: true);
            return read(statements);
        }
        catch (SqliteException exception)
        {
            throw new FaultException(FaultCodes.StoreUnavailable, $"the database cannot be read: {exception.Message}", "see that the file is there and whole", exception);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _writer.DisposeAsync();
        _statements?.Dispose();
        SqliteConnection.ClearAllPools();
    }
}
