using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Workers;

/// <summary>Deletes what need not be kept: a little at a time, in transactions of its own, so that nobody waits for it. Several at once do no harm.</summary>
public sealed class Janitor(IRunStore runs, ICheckpointStore checkpoints, IOutbox? outbox, TimeProvider time, ILogger<Janitor> logger)
{
    private const int Page = 100;

    private DateTimeOffset _prunedUpTo = DateTimeOffset.MinValue;

    /// <summary>Sweeps now and then.</summary>
    public async Task RunAsync(RetentionSettings settings, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var swept = await SweepAsync(settings, isDryRun: false, stopping);
                if (swept != default)
                {
                    Log.Swept(logger, swept.Threads, swept.Checkpoints, swept.Results);
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
            {
                // the store says so itself, once
            }
            catch (Exception exception) // the border of an agent: the next round may fare better
            {
                Log.AgentFailed(logger, exception, "janitor");
            }
            await Task.Delay(TimeSpan.FromSeconds(settings.SweepSeconds), time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>One round.</summary>
    /// <param name="isDryRun">Count what would go, and leave it; checkpoints and results are then not counted.</param>
    public async Task<Swept> SweepAsync(RetentionSettings settings, bool isDryRun, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var threads = 0;
        if (settings.FinishedDays > 0)
        {
            threads += await DeleteAsync(new RunQuery(FinishedBefore: now - TimeSpan.FromDays(settings.FinishedDays), Limit: Page), isDryRun, cancellationToken);
        }
        if (settings.FinishedThreads > 0)
        {
            threads += await DeleteAsync(new RunQuery(FinishedBefore: now, Limit: Page, Skip: settings.FinishedThreads), isDryRun, cancellationToken);
        }
        if (isDryRun)
        {
            return new Swept(threads, 0, 0);
        }
        var pruned = settings.Checkpoints > 0 ? await PruneAsync(settings.Checkpoints, now, cancellationToken) : 0;
        return new Swept(threads, pruned, await DropResultsAsync(TimeSpan.FromHours(settings.ResultHours), cancellationToken));
    }

    private async Task<int> DeleteAsync(RunQuery query, bool isDryRun, CancellationToken cancellationToken)
    {
        var count = 0;
        for (var page = await PageAsync(query, cancellationToken); page.Count > 0; page = await PageAsync(query, cancellationToken))
        {
            var deleted = 0;
            foreach (var run in isDryRun ? [] : page)
            {
                deleted += await TryDeleteAsync(run.ThreadId, cancellationToken) ? 1 : 0;
            }
            count += isDryRun ? page.Count : deleted;
            query = query with { Skip = query.Skip + page.Count - deleted };
        }
        return count;
    }

    /// <summary>False where the thread is in use again.</summary>
    private async Task<bool> TryDeleteAsync(string threadId, CancellationToken cancellationToken)
    {
        try
        {
            await checkpoints.DeleteThreadAsync(threadId, cancellationToken);
            return true;
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.ThreadBusy)
        {
            return false;
        }
    }

    /// <summary>Prunes the threads that ended since the last round, in the first round all.</summary>
    private async Task<int> PruneAsync(int keep, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var pruned = 0;
        var query = new RunQuery(FinishedBefore: now, Limit: Page);
        for (var page = await PageAsync(query, cancellationToken); page.Count > 0; page = await PageAsync(query, cancellationToken))
        {
            foreach (var run in page.Where(run => run.UpdatedAt >= _prunedUpTo))
            {
                pruned += await checkpoints.PruneAsync(run.ThreadId, keep, cancellationToken);
            }
            if (page[^1].UpdatedAt < _prunedUpTo)
            {
                break;
            }
            query = query with { Skip = query.Skip + page.Count };
        }
        _prunedUpTo = now - TimeSpan.FromMinutes(5); // clocks of other machines may be behind
        return pruned;
    }

    private async Task<int> DropResultsAsync(TimeSpan olderThan, CancellationToken cancellationToken)
    {
        var dropped = 0;
        for (var batch = Page; outbox is not null && batch == Page;)
        {
            batch = await outbox.DropAsync(olderThan, Page, cancellationToken);
            dropped += batch;
        }
        return dropped;
    }

    private async Task<List<Run>> PageAsync(RunQuery query, CancellationToken cancellationToken)
    {
        var page = new List<Run>();
        await foreach (var run in runs.ListAsync(query, cancellationToken))
        {
            page.Add(run);
        }
        return page;
    }
}

/// <summary>What a round of the janitor deleted.</summary>
public readonly record struct Swept(int Threads, int Checkpoints, int Results);
