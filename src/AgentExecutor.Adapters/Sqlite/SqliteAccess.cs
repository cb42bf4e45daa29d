using System.Threading.Channels;
using AgentExecutor.Core;
using Microsoft.Data.Sqlite;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// The open database file, which the store, the queue, the outbox and the bus of a process share. One thread writes for all of them, so
/// that their concurrent commits share one fsync. Each reads on a connection of its own.
/// </summary>
internal sealed class SqliteAccess : IAsyncDisposable
{
    /// <summary>By how many milliseconds the stored clock may be behind.</summary>
    private const long ClockPrecision = 1_000;

    private const int ProbeBytes = 256 * 1024;

    private readonly SqliteDatabase _database;
    private readonly SqliteWriter _writer;
    private readonly long _opened;
    private readonly SteadyClock _clock;

    // The time that the file contains. Only the writer thread uses it.
    private long _storedClock;

    // The statements of the writer's connection. Only the writer thread uses them.
    private SqliteStatements? _statements;

    /// <param name="settings">The file and how durable its commits are.</param>
    /// <param name="time">The clock of the system.</param>
    /// <param name="mustWrite">True to refuse a file that is read-only.</param>
    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.StoreUnavailable"/>: the file cannot be opened, or a newer version of the program has created it.
    /// </exception>
    public SqliteAccess(SqliteSettings settings, TimeProvider time, bool mustWrite = false)
    {
        (Time, _opened) = (time, time.GetTimestamp());
        _database = SqliteDatabase.Open(settings, mustWrite);
        _writer = new SqliteWriter(_database);
        _storedClock = Read(static database => (long)database.Scalar("SELECT now FROM clock")!);
        _clock = new SteadyClock(time, DateTimeOffset.FromUnixTimeMilliseconds(_storedClock));
    }

    public TimeProvider Time { get; }

    /// <summary>
    /// The clock that decides whether leases have expired and runs are due. It never goes back, not even after a restart of the process.
    /// </summary>
    public DateTimeOffset UtcNow => _clock.UtcNow;

    /// <summary>The same in milliseconds since 1970, which is how rows contain times that are compared.</summary>
    public long Now => UtcNow.ToUnixTimeMilliseconds();

    /// <summary>How long ago this process opened the file.</summary>
    public TimeSpan Age => Time.GetElapsedTime(_opened);

    /// <summary>Is set when a run may have become due.</summary>
    public SqliteSignal Runs { get; } = new();

    /// <summary>Is set when a job message of the bus may have become due.</summary>
    public SqliteSignal Messages { get; } = new();

    /// <summary>
    /// Writes in a transaction, and completes when the transaction is durable. It may be rolled back and executed again, so
    /// <paramref name="write"/> must not have lasting effects outside the database.
    /// </summary>
    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.StoreUnavailable"/>: the disk is full, the file is locked, or the store was closed.
    /// </exception>
    public async ValueTask WriteAsync(Action<SqliteStatements> write, CancellationToken cancellationToken)
    {
        try
        {
            await _writer.RunAsync(
                connection =>
                {
                    _statements ??= new SqliteStatements(connection);
                    StoreClock(_statements);
                    write(_statements);
                },
                cancellationToken
            );
        }
        catch (ChannelClosedException closed)
        {
            throw new FaultException(
                FaultCodes.StoreUnavailable,
                "the database was closed because the program shuts down",
                "start the program again",
                closed
            );
        }
    }

    /// <inheritdoc cref="WriteAsync(Action{SqliteStatements}, CancellationToken)"/>
    public async ValueTask<T> WriteAsync<T>(Func<SqliteStatements, T> write, CancellationToken cancellationToken)
    {
        T result = default!;
        await WriteAsync(
            statements =>
            {
                result = write(statements);
            },
            cancellationToken
        );
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
            throw SqliteFaults.OfRead(exception, _database.Location);
        }
    }

    /// <summary>
    /// Checks whether the file can be read and written. It writes only after a write has failed. In that case it first writes a file of
    /// some size to the same directory, because a small write may succeed although the disk is full.
    /// </summary>
    /// <exception cref="FaultException">
    /// The file cannot be used, with the reason (<see cref="FaultCodes.StoreUnavailable"/>).
    /// </exception>
    public async Task ProbeAsync(CancellationToken cancellationToken)
    {
        if (_writer.Fault is not { } fault)
        {
            Read(static database => database.Scalar("SELECT 1 FROM clock"));
            return;
        }
        if (SqliteFaults.FindWriteError(Path.GetDirectoryName(_database.Location)!, ProbeBytes) is not null)
        {
            throw fault;
        }
        await WriteAsync(static database => database.Run("UPDATE clock SET now = now"), cancellationToken);
    }

    private void StoreClock(SqliteStatements database)
    {
        if (Now is var now && now - _storedClock >= ClockPrecision)
        {
            database.Run("UPDATE clock SET now = max(now, $1)", now);
            _storedClock = now;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _writer.DisposeAsync();
        _statements?.Dispose();
        SqliteConnection.ClearAllPools();
    }
}
