using System.Threading.Channels;
using AgentExecutor.Core;
using Microsoft.Data.Sqlite;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// The only thread that writes. It takes all waiting writes and executes them in one transaction (group commit): an idle writer executes a
/// write at once, and under load the writes share one fsync. A write that fails is rolled back alone.
/// </summary>
internal sealed class SqliteWriter : IAsyncDisposable
{
    private const int MaxBatch = 256;

    private readonly Channel<Write> _writes = Channel.CreateBounded<Write>(new BoundedChannelOptions(4096) { SingleReader = true });
    private readonly string _path;
    private readonly SqliteConnection _connection;
    private readonly Task _loop;
    private volatile FaultException? _fault;

    public SqliteWriter(SqliteDatabase database)
    {
        (_path, _connection) = (database.Location, database.Connect());
        _loop = Task.Factory.StartNew(Loop, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Why SQLite refused the last write, or null if it was stored.</summary>
    public FaultException? Fault => _fault;

    /// <summary>
    /// Executes the write in a transaction, and completes when the transaction is durable. If another write of the transaction fails, this
    /// one is rolled back and executed again.
    /// </summary>
    public async ValueTask RunAsync(Action<SqliteConnection> write, CancellationToken cancellationToken)
    {
        var entry = new Write(write, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        await _writes.Writer.WriteAsync(entry, cancellationToken);
        // Is not cancelled, because the write may be executed already.
        await entry.Completion.Task;
    }

    public async ValueTask DisposeAsync()
    {
        _writes.Writer.TryComplete();
        await _loop;
        _connection.Dispose();
    }

    private void Loop()
    {
        var batch = new List<Write>();
        while (_writes.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (batch.Count < MaxBatch && _writes.Reader.TryRead(out var write))
            {
                batch.Add(write);
            }
            if (batch.Count > 0 && !TryApply(batch))
            {
                foreach (var write in batch)
                {
                    TryApply([write]);
                }
            }
            batch.Clear();
        }
    }

    /// <summary>
    /// Executes all writes in one transaction. Returns false if one of several writes failed. All of them were rolled back then, and the
    /// caller must execute each alone.
    /// </summary>
    private bool TryApply(List<Write> batch)
    {
        try
        {
            SqliteDatabase.Execute(_connection, "BEGIN IMMEDIATE");
            foreach (var write in batch)
            {
                write.Execute(_connection);
            }
            SqliteDatabase.Execute(_connection, "COMMIT");
        }
        catch (Exception exception)
        {
            // The caller of a write receives its exception, whatever it is.
            RollBack();
            if (batch.Count > 1)
            {
                return false;
            }
            batch[0].Completion.TrySetException(Translate(exception));
            return true;
        }
        _fault = null;
        foreach (var write in batch)
        {
            write.Completion.TrySetResult();
        }
        return true;
    }

    private void RollBack()
    {
        try
        {
            SqliteDatabase.Execute(_connection, "ROLLBACK");
        }
        catch (SqliteException)
        {
            // No transaction is open: BEGIN failed, or SQLite has already rolled it back.
        }
    }

    private Exception Translate(Exception exception) =>
        exception is SqliteException sqlite ? _fault = SqliteFaults.OfWrite(sqlite, _path) : exception;

    private sealed record Write(Action<SqliteConnection> Execute, TaskCompletionSource Completion);
}
