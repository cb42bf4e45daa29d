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
    private const long MaxBytes = 16 << 20;

    private readonly Channel<Entry> _entries = Channel.CreateBounded<Entry>(new BoundedChannelOptions(4096));
    private readonly PostgresAccess _access;
    private readonly Lock _gate = new();
    private readonly HashSet<string> _inFlight = new(StringComparer.Ordinal); // threads that a loop has a commit of
    private readonly List<Entry> _deferred = []; // commits of such threads, in order
    private readonly List<Task> _aside = []; // commits that wait for a lock
    private readonly SemaphoreSlim _asideSlots = new(2);
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
        await using (cancellationToken.UnsafeRegister(static (waiting, token) => ((Entry)waiting!).CancelUnlessTaken(token), entry))
        {
            await entry.Done.Task;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _entries.Writer.TryComplete();
        await Task.WhenAll(_loops);
        await Task.WhenAll(_aside);
        _asideSlots.Dispose();
    }

    private async Task LoopAsync()
    {
        await using var link = new Link(_access);
        var taken = new List<Entry>(MaxBatch);
        while (await _entries.Reader.WaitToReadAsync())
        {
            for (Take(taken); taken.Count > 0; Take(taken))
            {
                try
                {
                    await ApplyAsync(link, [.. taken]);
                }
                catch (Exception exception) // the loop goes on, whatever one batch brought about
                {
                    await link.BreakAsync();
                    taken.ForEach(entry => entry.Fail(exception));
                }
                Release(taken);
            }
        }
    }

    /// <summary>Takes what waits, a commit a thread.</summary>
    private void Take(List<Entry> taken)
    {
        lock (_gate)
        {
            var bytes = 0L;
            for (var i = 0; i < _deferred.Count && taken.Count < MaxBatch && bytes < MaxBytes;)
            {
                if (_inFlight.Add(_deferred[i].Commit.ThreadId))
                {
                    bytes += Put(_deferred[i], taken);
                    _deferred.RemoveAt(i);
                }
                else
                {
                    i++;
                }
            }
            while (taken.Count < MaxBatch && bytes < MaxBytes && _entries.Reader.TryRead(out var entry))
            {
                if (_inFlight.Add(entry.Commit.ThreadId))
                {
                    bytes += Put(entry, taken);
                }
                else
                {
                    _deferred.Add(entry);
                }
            }
        }
    }

    /// <summary>Takes the entry, unless its caller waits no longer; returns how large it is.</summary>
    private long Put(Entry entry, List<Entry> taken)
    {
        if (!entry.TryTake())
        {
            _inFlight.Remove(entry.Commit.ThreadId);
            return 0;
        }
        taken.Add(entry);
        return entry.Size;
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
    /// <param name="isNew">No row of them can be there already.</param>
    /// <param name="isAside">They have the link to themselves, and may wait for a lock as long as it takes.</param>
    private async Task ApplyAsync(Link link, List<Entry> entries, bool isNew = true, bool isAside = false)
    {
        var isChange = false;
        for (var attempt = 1; entries.Count > 0; attempt++)
        {
            if (await TrySendAsync(link, entries, isChange, isNew && attempt == 1) is not { } failure)
            {
                entries.ForEach(static entry => entry.Done.TrySetResult());
                return;
            }
            var isLock = PostgresFaults.IsLock(failure);
            if ((PostgresFaults.IsTransient(failure) && (isAside || !isLock)) || !link.IsOpen)
            {
                _access.Failed(failure);
                await link.BreakAsync();
                entries.RemoveAll(entry => entry.IsGivenUp(_access, failure));
                await _access.PauseAsync(attempt, CancellationToken.None);
            }
            else if (attempt == 1 && failure is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation })
            {
                // some of it was committed before: a repetition, or a special write that replaces an earlier one
            }
            else if (entries.Count > 1)
            {
                await ApplyEachAsync(link, entries, isLock);
                return;
            }
            else if (isLock)
            {
                SetAside(entries);
                return;
            }
            else if (IsFence(failure) && !isChange && StepRows.Fits(entries[0].Commit))
            {
                isChange = true; // a step that finds no running thread of its own may still be allowed to make it one
            }
            else
            {
                entries[0].Done.TrySetException(await RefusalAsync(link, entries[0].Commit, failure));
                return;
            }
        }
    }

    /// <summary>Applies each alone. Where one has met a lock the others wait no longer for it than a moment.</summary>
    private async Task ApplyEachAsync(Link link, List<Entry> entries, bool isLocked)
    {
        if (isLocked)
        {
            await link.TryRunAsync("SET lock_timeout = 50");
        }
        foreach (var entry in entries)
        {
            await ApplyAsync(link, [entry], isNew: false);
        }
        if (isLocked)
        {
            await link.TryRunAsync("RESET lock_timeout");
        }
    }

    /// <summary>Waits for a row that someone has locked, on a connection of its own: nobody else waits with it. Few do so at once.</summary>
    private async Task ApplyAsideAsync(List<Entry> entries)
    {
        await _asideSlots.WaitAsync();
        try
        {
            await using var link = new Link(_access);
            await ApplyAsync(link, entries, isNew: false, isAside: true);
        }
        catch (Exception exception) // nobody awaits it but whoever waits for the commit
        {
            entries.ForEach(entry => entry.Fail(exception));
        }
        finally
        {
            _asideSlots.Release();
        }
    }

    private void SetAside(List<Entry> entries)
    {
        lock (_gate)
        {
            _aside.RemoveAll(static task => task.IsCompleted);
            _aside.Add(ApplyAsideAsync(entries));
        }
    }

    /// <summary>Sends the entries as one transaction; returns what it failed with, or null.</summary>
    private async Task<Exception?> TrySendAsync(Link link, List<Entry> entries, bool isChange, bool isNew)
    {
        try
        {
            var connection = await link.OpenAsync();
            link.Batch.Clear();
            foreach (var entry in entries)
            {
                link.Batch.Add(entry.Commit, isChange);
            }
            await using var batch = link.Batch.ToSend(connection, isNew);
            entries.ForEach(static entry => entry.WasSent = true);
            await batch.ExecuteNonQueryAsync();
            _access.Succeeded();
            return null;
        }
        catch (Exception exception) // what it means is for the caller to say
        {
            return exception;
        }
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
            """
            SELECT CASE WHEN is_held THEN extract(epoch FROM lease_until - now())::float8 ELSE 0 END FROM threads
            WHERE thread_id = $1 AND fence < $2 AND (is_held AND lease_until > now() OR is_queued AND status IN ('pending', 'running'))
            """, connection)
        {
            Parameters = { new() { Value = commit.ThreadId }, new() { Value = commit.Fence } },
        };
        return commit.Acquires && await command.ExecuteScalarAsync() is double seconds
            ? new FaultException(
                FaultCodes.ThreadBusy,
                seconds > 0 ? $"another worker runs the thread '{commit.ThreadId}'" : $"a run that was submitted waits for the thread '{commit.ThreadId}'",
                seconds > 0 ? $"wait for it; its lease ends in {seconds:0.0} s unless it is renewed" : "wait until a worker has run it, or submit yours behind it")
            : LeaseLost(commit);
    }

    private static FaultException LeaseLost(StepCommit commit) => new(
        FaultCodes.LeaseLost, $"the thread '{commit.ThreadId}' was taken over by another worker", "nothing was changed; let the other go on");

    /// <summary>A commit that waits for its fate.</summary>
    private sealed class Entry(StepCommit commit, long since, CancellationToken cancellationToken)
    {
        private int _isTaken; // by a loop, or by its caller's cancellation

        public StepCommit Commit { get; } = commit;

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>It may have taken effect, though nobody has heard of it.</summary>
        public bool WasSent { get; set; }

        public long Size => Commit.Writes.Sum(static write => (long)write.Json.Length) + Commit.Values.Sum(static value => (long)value.Json.Length)
            + (Commit.Checkpoint?.Due.Length ?? 0) + (Commit.Events?.Json.Length ?? 0);

        public bool TryTake() => Interlocked.Exchange(ref _isTaken, 1) == 0;

        public void CancelUnlessTaken(CancellationToken token)
        {
            if (TryTake())
            {
                Done.TrySetCanceled(token);
            }
        }

        public void Fail(Exception exception) =>
            Done.TrySetException(exception is PostgresException || !PostgresFaults.IsTransient(exception) ? PostgresFaults.Refused(exception) : PostgresFaults.Unavailable(exception));

        /// <summary>
        /// True where its caller waits no longer: it was cancelled, or its patience is at an end. Who cannot know whether it took effect is told that the store is away, so
        /// that nothing else is made of the run here.
        /// </summary>
        public bool IsGivenUp(PostgresAccess access, Exception exception)
        {
            if (cancellationToken.IsCancellationRequested && !WasSent)
            {
                Done.TrySetCanceled(cancellationToken);
            }
            else if (cancellationToken.IsCancellationRequested || access.Time.GetElapsedTime(since) > access.Patience)
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

        /// <summary>False once the connection broke, in use or while it was idle.</summary>
        public bool IsOpen => _connection is { State: System.Data.ConnectionState.Open };

        public async ValueTask<NpgsqlConnection> OpenAsync()
        {
            if (!IsOpen)
            {
                await BreakAsync();
            }
            return _connection ??= await access.Source.OpenConnectionAsync();
        }

        /// <summary>Runs a setting; a connection that cannot is made anew.</summary>
        public async Task TryRunAsync(string sql)
        {
            try
            {
                await (await OpenAsync()).RunAsync(sql, [], CancellationToken.None);
            }
            catch (Exception exception) when (PostgresFaults.IsTransient(exception))
            {
                await BreakAsync();
            }
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
