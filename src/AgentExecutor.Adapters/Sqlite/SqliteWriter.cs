using System.Threading.Channels;
using AgentExecutor.Core;
using Microsoft.Data.Sqlite;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// The one thread that writes. It takes all jobs that wait and applies them in one transaction (group commit): with one writer there
/// is no wait when idle, and under load the fsync is shared. A job that fails is undone alone.
/// </summary>
internal sealed class SqliteWriter : IAsyncDisposable
{
    private const int MaxBatch = 256;

    private readonly Channel<Job> _jobs = Channel.CreateBounded<Job>(new BoundedChannelOptions(4096) { SingleReader = true });
    private readonly SqliteConnection _connection;
    private readonly Task _loop;

    public SqliteWriter(SqliteDatabase database)
    {
        _connection = database.Connect();
        _loop = Task.Factory.StartNew(Loop, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Runs the job in a transaction; done when it is durable. The job may be undone with others' and run again.</summary>
    public async ValueTask RunAsync(Action<SqliteConnection> job, CancellationToken cancellationToken)
    {
        var entry = new Job(job, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        await _jobs.Writer.WriteAsync(entry, cancellationToken);
        await entry.Done.Task; // once taken it is applied or failed: its fate is awaited, not abandoned
    }

    public async ValueTask DisposeAsync()
    {
        _jobs.Writer.TryComplete();
        await _loop;
        _connection.Dispose();
    }

    private void Loop()
    {
        var batch = new List<Job>();
        while (_jobs.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (batch.Count < MaxBatch && _jobs.Reader.TryRead(out var job))
            {
                batch.Add(job);
            }
            if (batch.Count > 0 && !TryApply(batch))
            {
                foreach (var job in batch)
                {
                    TryApply([job]);
                }
            }
            batch.Clear();
        }
    }

    /// <summary>Applies all jobs in one transaction. False where several were undone for the fault of one: each is then to be tried alone.</summary>
    private bool TryApply(List<Job> batch)
    {
        try
        {
            SqliteDatabase.Execute(_connection, "BEGIN IMMEDIATE");
            foreach (var job in batch)
            {
                job.Apply(_connection);
            }
            SqliteDatabase.Execute(_connection, "COMMIT");
        }
        catch (Exception exception) // whatever a job throws is its caller's
        {
            Undo();
            if (batch.Count > 1)
            {
                return false;
            }
            batch[0].Done.TrySetException(Translate(exception));
            return true;
        }
        foreach (var job in batch)
        {
            job.Done.TrySetResult();
        }
        return true;
    }

    private void Undo()
    {
        try
        {
            SqliteDatabase.Execute(_connection, "ROLLBACK");
        }
        catch (SqliteException)
        {
            // no transaction is open: BEGIN failed, or SQLite has undone it already
        }
    }

    private static Exception Translate(Exception exception) => exception is SqliteException sqlite
        ? new FaultException(FaultCodes.StoreUnavailable, $"the database refused a write: {sqlite.Message}", "see that the disk has room and the file is not locked", sqlite)
        : exception;

    private sealed record Job(Action<SqliteConnection> Apply, TaskCompletionSource Done);
}
