using AgentExecutor.Core.Checkpoints;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Combines the commits of all runs into few transactions (group commit). Several loops, each with a connection of its own, take the
/// waiting commits. When few are waiting, a commit is sent at once and alone. Under load, the commits that arrive during a transaction
/// form the next one.
/// <list type="bullet">
/// <item>Two commits of one thread never share a batch, and keep their order (<see cref="CommitQueue"/>).</item>
/// <item>A commit with an outdated fencing token, or one that the server refuses, makes its batch fail. Each commit is then tried alone, so
/// that only the faulty one fails.</item>
/// <item>A commit whose thread is locked for longer than the lock timeout continues on a connection of its own.</item>
/// <item>When the connection breaks, it is unknown whether the batch took effect. The batch is sent again until it succeeds or the caller's
/// patience has elapsed. All its rows are the same as before, and the fencing tokens still protect the threads.</item>
/// </list>
/// </summary>
internal sealed class PostgresCommitter : IAsyncDisposable
{
    private const int MaxLockWaiters = 2;

    private static readonly TimeSpan ShortLockTimeout = TimeSpan.FromMilliseconds(50);

    private readonly PostgresAccess _access;
    private readonly CommitQueue _queue = new();
    private readonly Task[] _loops;

    // Commits that wait for a lock on connections of their own.
    private readonly Lock _gate = new();
    private readonly List<Task> _lockWaiters = [];
    private readonly SemaphoreSlim _lockWaiterSlots = new(MaxLockWaiters);

    public PostgresCommitter(PostgresAccess access, int loops)
    {
        _access = access;
        _loops = [.. Enumerable.Range(0, Math.Max(1, loops)).Select(_ => LoopAsync())];
    }

    /// <summary>Completes when the commit is durable.</summary>
    public async ValueTask CommitAsync(StepCommit commit, CancellationToken cancellationToken)
    {
        var waiting = new WaitingCommit(commit, _access.Time.GetTimestamp(), cancellationToken);
        await _queue.AddAsync(waiting, cancellationToken);
        await using (cancellationToken.UnsafeRegister(static (it, token) => ((WaitingCommit)it!).CancelUnlessTaken(token), waiting))
        {
            await waiting.Completion;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _queue.Complete();
        await Task.WhenAll(_loops);
        await Task.WhenAll(_lockWaiters);
        _lockWaiterSlots.Dispose();
    }

    private async Task LoopAsync()
    {
        await using var link = new CommitConnection(_access);
        var taken = new List<WaitingCommit>();
        while (await _queue.WaitAsync())
        {
            for (_queue.Take(taken); taken.Count > 0; _queue.Take(taken))
            {
                try
                {
                    await ApplyAsync(link, [.. taken]);
                }
                catch (Exception exception)
                {
                    // The error fails this batch only. The loop continues.
                    await link.CloseAsync();
                    taken.ForEach(commit => commit.Fail(exception));
                }
                _queue.Release(taken);
            }
        }
    }

    /// <summary>Applies the commits together or, if one of them makes that fail, each alone.</summary>
    /// <param name="isNew">True if none of their rows can exist already.</param>
    /// <param name="mayWait">True if the commits have the connection to themselves and may wait for a lock indefinitely.</param>
    /// <param name="lockTimeout">How long to wait for a lock, or null for the default.</param>
    private async Task ApplyAsync(
        CommitConnection link,
        List<WaitingCommit> commits,
        bool isNew = true,
        bool mayWait = false,
        TimeSpan? lockTimeout = null
    )
    {
        var isChange = false;
        for (var attempt = 1; commits.Count > 0; attempt++)
        {
            if (await TrySendAsync(link, commits, isChange, isNew && attempt == 1, lockTimeout) is not { } failure)
            {
                commits.ForEach(static commit => commit.Succeed());
                return;
            }
            var isLock = PostgresFaults.IsLock(failure);
            if ((PostgresFaults.IsTransient(failure) && (mayWait || !isLock)) || !link.IsOpen)
            {
                _access.Failed(failure);
                await link.CloseAsync();
                commits.RemoveAll(commit => commit.IsGivenUp(_access, failure));
                await _access.PauseAsync(attempt, CancellationToken.None);
            }
            else if (attempt == 1 && failure is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation })
            {
                // Some of it was committed before: the commit is a repetition, or a special write replaces an earlier one.
            }
            else if (commits.Count > 1)
            {
                await ApplyEachAsync(link, commits, isLock);
                return;
            }
            else if (isLock)
            {
                WaitForLock(commits);
                return;
            }
            else if (CommitRefusal.IsFence(failure) && !isChange && StepRows.Fits(commits[0].Commit))
            {
                // A step that finds no running thread of its own may still be allowed as a change.
                isChange = true;
            }
            else
            {
                commits[0].Refuse(await CommitRefusal.ExplainAsync(link, commits[0].Commit, failure));
                return;
            }
        }
    }

    /// <summary>Applies each commit alone. If one of them has met a lock, the others wait only briefly for locks.</summary>
    private async Task ApplyEachAsync(CommitConnection link, List<WaitingCommit> commits, bool isLocked)
    {
        foreach (var commit in commits)
        {
            await ApplyAsync(link, [commit], isNew: false, lockTimeout: isLocked ? ShortLockTimeout : null);
        }
    }

    /// <summary>
    /// Waits for a locked row on a separate connection, so that other commits do not wait. Only a few commits do so at the same time.
    /// </summary>
    private async Task ApplyAfterLockAsync(List<WaitingCommit> commits)
    {
        await _lockWaiterSlots.WaitAsync();
        try
        {
            await using var link = new CommitConnection(_access);
            await ApplyAsync(link, commits, isNew: false, mayWait: true);
        }
        catch (Exception exception)
        {
            // Only the callers that wait for these commits observe the failure.
            commits.ForEach(commit => commit.Fail(exception));
        }
        finally
        {
            _lockWaiterSlots.Release();
        }
    }

    private void WaitForLock(List<WaitingCommit> commits)
    {
        lock (_gate)
        {
            _lockWaiters.RemoveAll(static task => task.IsCompleted);
            _lockWaiters.Add(ApplyAfterLockAsync(commits));
        }
    }

    /// <summary>Sends the commits as one transaction. Returns the exception with which it failed, or null.</summary>
    private async Task<Exception?> TrySendAsync(
        CommitConnection link,
        List<WaitingCommit> commits,
        bool isChange,
        bool isNew,
        TimeSpan? lockTimeout
    )
    {
        try
        {
            var connection = await link.OpenAsync();
            link.Batch.Clear();
            foreach (var commit in commits)
            {
                link.Batch.Add(commit.Commit, isChange);
            }
            await using var batch = link.Batch.ToSend(connection, isNew, lockTimeout);
            commits.ForEach(static commit => commit.WasSent = true);
            await batch.ExecuteNonQueryAsync(CancellationToken.None);
            _access.Succeeded();
            return null;
        }
        catch (Exception exception)
        {
            // The caller decides what the exception means.
            return exception;
        }
    }
}
