using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Workers;

/// <summary>
/// Deletes data that has passed its retention limits. It works in short transactions, so that nothing else waits for it, and a lease allows
/// only one process per store to sweep at a time. A thread that cannot be deleted is logged once, counted at every attempt and tried again
/// in the next round.
/// </summary>
public sealed class Janitor(
    IRunStore runs,
    ICheckpointStore checkpoints,
    IRetentionStore retention,
    IOutbox? outbox,
    TimeProvider time,
    ILogger<Janitor> logger
)
{
    private const int Page = 100;
    private const int RememberedFailures = 1_000;

    private static readonly TimeSpan LeaseLength = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ResignLimit = TimeSpan.FromSeconds(2);

    private readonly Lease _lease = Lease.New(LeaseLength);

    // The number of failed attempts, by thread id.
    private readonly Dictionary<string, int> _failures = new(StringComparer.Ordinal);

    // The threads that could not be pruned yet.
    private readonly HashSet<string> _unpruned = new(StringComparer.Ordinal);
    private DateTimeOffset _prunedUpTo = DateTimeOffset.MinValue;
    private string _lastFault = "";

    // The number of failed attempts in all rounds.
    private long _failed;

    // The time of the last renewal. Null when the sweep needs no lease, for example when a command runs it.
    private long? _renewed;

    /// <summary>Sweeps at the configured interval until <paramref name="stopping"/> is cancelled.</summary>
    public async Task RunAsync(RetentionSettings settings, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await SweepOnceAsync(settings, stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                break;
            }
            catch (FaultException fault)
            {
                LogFailure(fault);
            }
            catch (Exception exception)
            {
                // An unexpected error ends this round only. The next round may succeed.
                Log.ServiceFailed(logger, exception, "janitor");
            }
            await Task.Delay(TimeSpan.FromSeconds(settings.SweepSeconds), time, stopping)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await ResignAsync();
    }

    /// <summary>Runs one round.</summary>
    /// <param name="isDryRun">
    /// Counts the threads that would be deleted, but deletes nothing. Checkpoints and outcomes are not counted.
    /// </param>
    public async Task<SweepResult> SweepAsync(RetentionSettings settings, bool isDryRun, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var threads = isDryRun ? 0 : await FinishDeletionsAsync(cancellationToken);
        if (settings.FinishedDays > 0)
        {
            threads += await DeleteAsync(
                new RunQuery(FinishedBefore: now - TimeSpan.FromDays(settings.FinishedDays)),
                isDryRun,
                cancellationToken
            );
        }
        if (settings.FinishedThreads > 0)
        {
            threads += await DeleteAsync(new RunQuery(FinishedBefore: now, Skip: settings.FinishedThreads), isDryRun, cancellationToken);
        }
        if (isDryRun)
        {
            return new SweepResult(threads, 0, 0);
        }
        var pruned = settings.Checkpoints > 0 ? await PruneAsync(settings.Checkpoints, now, cancellationToken) : 0;
        await InBatchesAsync(retention.DropDefinitionsAsync, cancellationToken);
        var results = outbox is null
            ? 0
            : await InBatchesAsync(
                (atMost, cancel) => outbox.DropAsync(TimeSpan.FromHours(settings.ResultHours), atMost, cancel),
                cancellationToken
            );
        return new SweepResult(threads, pruned, results);
    }

    /// <summary>Runs one round if no other process holds the sweep lease.</summary>
    private async Task SweepOnceAsync(RetentionSettings settings, CancellationToken stopping)
    {
        if (!await retention.TryLeadAsync(_lease, stopping))
        {
            return;
        }
        _renewed = time.GetTimestamp();
        SweepResult result;
        try
        {
            result = await SweepAsync(settings, isDryRun: false, stopping);
        }
        catch (SweepLeaseLostException)
        {
            Log.SweepLeaseLost(logger);
            return;
        }
        _lastFault = "";
        if (result != default)
        {
            Log.SweepCompleted(logger, result.Threads, result.Checkpoints, result.Results);
        }
    }

    /// <summary>
    /// Releases the lease when this process stops, so that another process can sweep at once. If the store does not answer, the lease
    /// expires.
    /// </summary>
    private async Task ResignAsync()
    {
        if (_renewed is null)
        {
            return;
        }
        using var limit = new CancellationTokenSource(ResignLimit, time);
        try
        {
            await retention.TryLeadAsync(_lease with { Length = TimeSpan.Zero }, limit.Token);
        }
        catch (Exception exception) when (exception is FaultException or OperationCanceledException)
        {
            Log.SweepLeaseNotReleased(logger, exception.Message);
        }
    }

    /// <summary>Finishes deletions that were interrupted in this process or in another one.</summary>
    private async Task<int> FinishDeletionsAsync(CancellationToken cancellationToken)
    {
        var count = 0;
        var unfinished = await retention.UnfinishedDeletionsAsync("", Page, cancellationToken);
        while (!unfinished.IsEmpty)
        {
            foreach (var threadId in unfinished)
            {
                count += await TryAsync("delete", threadId, DeleteThreadAsync, cancellationToken);
            }
            unfinished = await retention.UnfinishedDeletionsAsync(unfinished[^1], Page, cancellationToken);
        }
        return count;
    }

    private async Task<int> DeleteAsync(RunQuery query, bool isDryRun, CancellationToken cancellationToken)
    {
        var count = 0;
        await foreach (var run in runs.ListAsync(query, cancellationToken))
        {
            count += isDryRun ? 1 : await TryAsync("delete", run.ThreadId, DeleteThreadAsync, cancellationToken);
        }
        return count;
    }

    private async Task<int> DeleteThreadAsync(string threadId, CancellationToken cancellationToken)
    {
        await checkpoints.DeleteThreadAsync(threadId, cancellationToken);
        return 1;
    }

    /// <summary>
    /// Prunes the threads that ended since the last round (in the first round: all ended threads) and those that could not be pruned
    /// before.
    /// </summary>
    private async Task<int> PruneAsync(int keep, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var pruned = 0;
        foreach (var threadId in _unpruned.ToList())
        {
            pruned += await PruneThreadAsync(threadId, keep, cancellationToken);
        }
        await foreach (var run in runs.ListAsync(new RunQuery(FinishedBefore: now), cancellationToken))
        {
            if (run.UpdatedAt < _prunedUpTo)
            {
                break;
            }
            if (!_unpruned.Contains(run.ThreadId))
            {
                pruned += await PruneThreadAsync(run.ThreadId, keep, cancellationToken);
            }
        }
        if (_unpruned.Count < RememberedFailures)
        {
            // The clocks of other machines may be behind.
            _prunedUpTo = now - TimeSpan.FromMinutes(5);
        }
        return pruned;
    }

    private async Task<int> PruneThreadAsync(string threadId, int keep, CancellationToken cancellationToken)
    {
        var failed = _failed;
        var pruned = await TryAsync(
            "prune",
            threadId,
            async (id, cancel) => await checkpoints.PruneAsync(id, keep, cancel),
            cancellationToken
        );
        if (_failed == failed)
        {
            _unpruned.Remove(threadId);
        }
        else if (_unpruned.Count < RememberedFailures)
        {
            _unpruned.Add(threadId);
        }
        return pruned;
    }

    /// <summary>
    /// Applies <paramref name="clean"/> to one thread and returns its count, or 0 if the thread is in use again or could not be cleaned up.
    /// </summary>
    private async Task<int> TryAsync(
        string operation,
        string threadId,
        Func<string, CancellationToken, Task<int>> clean,
        CancellationToken cancellationToken
    )
    {
        await KeepLeadingAsync(cancellationToken);
        try
        {
            var count = await clean(threadId, cancellationToken);
            if (_failures.Remove(threadId, out var failed))
            {
                Log.ThreadCleanedUp(logger, threadId, failed);
            }
            return count;
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.ThreadBusy)
        {
            _failures.Remove(threadId);
            return 0;
        }
        catch (FaultException fault) when (fault.Code != FaultCodes.StoreUnavailable)
        {
            Telemetry.RetentionFailures.Add(1, new KeyValuePair<string, object?>("operation", operation));
            var attempts = _failures.GetValueOrDefault(threadId);
            _failed++;
            if (attempts == 0)
            {
                Log.ThreadNotCleanedUp(logger, threadId, fault.Message, fault.Code);
            }
            if (attempts > 0 || _failures.Count < RememberedFailures)
            {
                _failures[threadId] = attempts + 1;
            }
            return 0;
        }
    }

    /// <summary>Renews the sweep lease when needed, because a round may take longer than the lease.</summary>
    /// <exception cref="SweepLeaseLostException">Another process holds the lease.</exception>
    private async ValueTask KeepLeadingAsync(CancellationToken cancellationToken)
    {
        if (_renewed is { } renewed && time.GetElapsedTime(renewed) > LeaseLength / 3)
        {
            if (!await retention.TryLeadAsync(_lease, cancellationToken))
            {
                throw new SweepLeaseLostException();
            }
            _renewed = time.GetTimestamp();
        }
    }

    private async Task<int> InBatchesAsync(Func<int, CancellationToken, ValueTask<int>> drop, CancellationToken cancellationToken)
    {
        var total = 0;
        var atMost = Page;
        var dropped = Page;
        while (dropped >= atMost)
        {
            await KeepLeadingAsync(cancellationToken);
            try
            {
                dropped = await drop(atMost, cancellationToken);
                total += dropped;
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.StoreTimeout && atMost > 1)
            {
                (atMost, dropped) = (atMost / 2, atMost);
            }
        }
        return total;
    }

    /// <summary>Logs the same fault only once until a round succeeds. The store logs its own outages.</summary>
    private void LogFailure(FaultException fault)
    {
        Telemetry.RetentionFailures.Add(1, new KeyValuePair<string, object?>("operation", "sweep"));
        if (_lastFault != fault.Code && fault.Code != FaultCodes.StoreUnavailable)
        {
            Log.SweepFailed(logger, fault.Message, fault.Code);
        }
        _lastFault = fault.Code;
    }
}

/// <summary>The janitor's lease ended during a sweep, and another process holds it now.</summary>
internal sealed class SweepLeaseLostException() : Exception("the janitor's lease has expired and another process sweeps the store now");

/// <summary>The numbers of threads, checkpoints and outcomes that one round deleted.</summary>
public readonly record struct SweepResult(int Threads, int Checkpoints, int Results);
