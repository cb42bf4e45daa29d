using System.Threading.Channels;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Gathers the commits of all runs into few transactions (group commit). Some loops, each with a connection of its own, take whatever waits: when little
/// does, a commit goes at once and alone; under load those that come while a transaction is on its way make the next one.
/// <list type="bullet">
/// <item>Two commits of one thread never share a batch, and keep their order.</item>
/// <item>A commit whose fence does not hold, or that the server refuses, makes its batch fail: each is then tried alone, and it alone fails.</item>
/// <item>One whose thread someone has locked for longer than the lock timeout goes on by itself.</item>
/// <item>When the connection breaks nobody knows whether the batch took effect. It is sent again, until it succeeds or the caller's patience ends: every
/// row of it is the same as before, and the fence still tells whether the thread is ours.</item>
/// </list>
/// </summary>
internal sealed class PostgresCommitter : IAsyncDisposable
{
    private const int MaxBatch = 128;

    private readonly Channel<Entry> _entries = Channel.CreateBounded<Entry>(new BoundedChannelOptions(4096));
    private readonly PostgresAccess _access;
    private readonly Lock _gate = new();
    private readonly HashSet<string> _inFlight = new(StringComparer.Ordinal); // threads that a loop has a commit of
    private readonly List<Entry> _deferred = []; // commits of such threads, in order
    private readonly List<Task> _aside = []; // commits that wait for a lock
    private readonly Task[] _loops;

    public PostgresCommitter(PostgresAccess access, int loops)
    {
        _access = access;
        _loops = [.. Enumerable.Range(0, Math.Max(1, loops)).Select(_ => LoopAsync())];
    }

    /// <summary>Done when the commit is durable.</summary>
    public async ValueTask CommitAsync(StepCommit commit, CancellationToken cancellationToken)
    {
        var entry = new Entry(commit, _access.Time.GetTimestamp(), cancellationToken);
        await _entries.Writer.WriteAsync(entry, cancellationToken);
        await entry.Done.Task;
    }

    public async ValueTask DisposeAsync()
    {
        _entries.Writer.TryComplete();
        await Task.WhenAll(_loops);
        await Task.WhenAll(_aside);
    }

    private async Task LoopAsync()
    {
        await using var link = new Link(_access);
        var taken = new List<Entry>(MaxBatch);
        while (await _entries.Reader.WaitToReadAsync())
        {
            for (Take(taken); taken.Count > 0; Take(taken))
            {
                await ApplyAsync(link, [.. taken]);
                Release(taken);
            }
        }
    }

    /// <summary>Takes what waits, a commit a thread.</summary>
    private void Take(List<Entry> taken)
    {
        lock (_gate)
        {
            for (var i = 0; i < _deferred.Count && taken.Count < MaxBatch;)
            {
                if (_inFlight.Add(_deferred[i].Commit.ThreadId))
                {
                    taken.Add(_deferred[i]);
                    _deferred.RemoveAt(i);
                }
                else
                {
                    i++;
                }
            }
            while (taken.Count < MaxBatch && _entries.Reader.TryRead(out var entry))
            {
                (_inFlight.Add(entry.Commit.ThreadId) ? taken : _deferred).Add(entry);
            }
        }
    }

    private void Release(List<Entry> taken)
    {
        lock (_gate)
        {
            foreach (var entry in taken)
            {
                _inFlight.Remove(entry.Commit.ThreadId);
            }
        }
        taken.Clear();
    }

    /// <summary>Applies the entries, all at once or, where that fails for the fault of one of them, each alone.</summary>
    private async Task ApplyAsync(Link link, List<Entry> entries, bool isNew = true, bool isAside = false)
    {
        var isChange = false;
        for (var attempt = 1; entries.Count > 0; attempt++)
        {
            try
            {
                await SendAsync(link, entries, isChange, isNew && attempt == 1);
                entries.ForEach(static entry => entry.Done.TrySetResult());
                return;
            }
            catch (Exception exception) when (PostgresFaults.IsLock(exception) && entries.Count == 1 && !isAside)
            {
                lock (_gate)
                {
                    _aside.RemoveAll(static task => task.IsCompleted);
                    _aside.Add(ApplyAsideAsync(entries));
                }
                return;
            }
            catch (Exception exception) when (PostgresFaults.IsTransient(exception) && (isAside || !PostgresFaults.IsLock(exception)))
            {
                _access.Failed(exception);
                await link.BreakAsync();
                entries.RemoveAll(entry => entry.IsGivenUp(_access, exception));
                await _access.PauseAsync(attempt, CancellationToken.None);
            }
            catch (PostgresException exception) when (attempt == 1 && exception.SqlState == PostgresErrorCodes.UniqueViolation)
            {
                // some of it was committed before: a repetition, or a special write that replaces an earlier one
            }
            catch (Exception) when (entries.Count > 1)
            {
                foreach (var entry in entries)
                {
                    await ApplyAsync(link, [entry], isNew: false);
                }
                return;
            }
            catch (PostgresException exception) when (IsFence(exception) && !isChange && StepRows.Fits(entries[0].Commit))
            {
                isChange = true; // a step that finds no running thread of its own may still be allowed to make it one
            }
            catch (Exception exception) // whatever it is, it is the caller's
            {
                entries[0].Done.TrySetException(await RefusalAsync(link, entries[0].Commit, exception));
                return;
            }
        }
    }

    /// <summary>Waits for a row that someone has locked, on a connection of its own: nobody else waits with it.</summary>
    private async Task ApplyAsideAsync(List<Entry> entries)
    {
        await using var link = new Link(_access);
        await ApplyAsync(link, entries, isNew: false, isAside: true);
    }

    private async Task SendAsync(Link link, List<Entry> entries, bool isChange, bool isNew)
    {
        var connection = await link.OpenAsync();
        link.Batch.Clear();
        foreach (var entry in entries)
        {
            link.Batch.Add(entry.Commit, isChange);
        }
        await using var batch = link.Batch.ToSend(connection, isNew);
        await batch.ExecuteNonQueryAsync();
        _access.Succeeded();
    }

    /// <summary>The statements divide by zero where a fence does not hold.</summary>
    private static bool IsFence(Exception exception) => exception is PostgresException { SqlState: PostgresErrorCodes.DivisionByZero };

    private static async Task<Exception> RefusalAsync(Link link, StepCommit commit, Exception exception)
    {
        try
        {
            return IsFence(exception) ? await RefusalAsync(await link.OpenAsync(), commit)
                : exception is PostgresException ? PostgresFaults.Refused(exception) : exception;
        }
        catch (Exception second) when (PostgresFaults.IsTransient(second))
        {
            await link.BreakAsync();
            return LeaseLost(commit);
        }
    }

    /// <summary>Why a commit was not applied.</summary>
    private static async Task<FaultException> RefusalAsync(NpgsqlConnection connection, StepCommit commit)
    {
        await using var command = new NpgsqlCommand(
            "SELECT extract(epoch FROM lease_until - now())::float8 FROM threads WHERE thread_id = $1 AND fence < $2 AND is_held AND lease_until > now()", connection)
        {
            Parameters = { new() { Value = commit.ThreadId }, new() { Value = commit.Fence } },
        };
        return commit.Acquires && await command.ExecuteScalarAsync() is double seconds
            ? new FaultException(
                FaultCodes.ThreadBusy, $"another worker runs the thread '{commit.ThreadId}'", $"wait for it; its lease ends in {seconds:0.0} s unless it is renewed")
            : LeaseLost(commit);
    }

    private static FaultException LeaseLost(StepCommit commit) => new(
        FaultCodes.LeaseLost, $"the thread '{commit.ThreadId}' was taken over by another worker", "nothing was changed; let the other go on");

    /// <summary>A commit that waits for its fate.</summary>
    private sealed class Entry(StepCommit commit, long since, CancellationToken cancellationToken)
    {
        public StepCommit Commit { get; } = commit;

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>True where its caller waits no longer: it was cancelled, or its patience is at an end.</summary>
        public bool IsGivenUp(PostgresAccess access, Exception exception)
        {
            if (cancellationToken.IsCancellationRequested)
            {
                Done.TrySetCanceled(cancellationToken);
            }
            else if (access.Time.GetElapsedTime(since) > access.Patience)
            {
                Done.TrySetException(PostgresFaults.Unavailable(exception));
            }
            return Done.Task.IsCompleted;
        }
    }

    /// <summary>A loop's connection, made anew after it broke, and its batch.</summary>
    private sealed class Link(PostgresAccess access) : IAsyncDisposable
    {
        private NpgsqlConnection? _connection;

        /// <summary>Made anew with the connection: its commands remember what that one has prepared.</summary>
        public CommitBatch Batch { get; private set; } = new();

        public async ValueTask<NpgsqlConnection> OpenAsync()
        {
            if (_connection is not null)
            {
                return _connection;
            }
            var connection = await access.Source.OpenConnectionAsync();
            await connection.RunAsync("SET enable_hashjoin = off; SET enable_mergejoin = off", [], CancellationToken.None); // a batch looks each thread up by its key
            return _connection = connection;
        }

        public async ValueTask BreakAsync()
        {
            if (_connection is { } connection)
            {
                _connection = null;
                Batch = new CommitBatch();
                await connection.DisposeAsync();
            }
        }

        public ValueTask DisposeAsync() => BreakAsync();
    }
}
