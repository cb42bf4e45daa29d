using System.Collections.Concurrent;
using System.Collections.Immutable;
using AgentExecutor.Core.Queues;

namespace AgentExecutor.Core.Jobs;

/// <summary>Lets callers wait for the outcomes of runs, on this or another worker. One poll of the store serves all of them.</summary>
public sealed class OutcomeWaiters(IOutbox outbox, TimeProvider time)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<RunKey, Waiting> _waiting = new();

    /// <summary>Waiters for the run's next outcome: its end, or an interrupt.</summary>
    /// <param name="after">
    /// The sequence up to which the caller knows the run. Earlier outcomes are ignored, because the interrupt was answered or the failed
    /// run was started again since.
    /// </param>
    public async Task<Outcome> WaitAsync(RunKey run, long after, CancellationToken cancellationToken)
    {
        while (true)
        {
            var waiting = _waiting.GetOrAdd(run, static (_, known) => new Waiting(known), after);
            // A caller that stops waiting leaves the entry, which is removed when the outcome arrives.
            var outcome = await waiting.Completion.Task.WaitAsync(cancellationToken);
            if (outcome.Sequence > after)
            {
                return outcome;
            }
        }
    }

    /// <summary>Passes the outcome to the callers that wait for its run.</summary>
    public void Notify(Outcome outcome)
    {
        if (_waiting.TryRemove(outcome.Run, out var waiting))
        {
            waiting.Completion.TrySetResult(outcome);
        }
    }

    /// <summary>Polls for outcomes that other processes have stored.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(PollInterval, time);
        while (await timer.WaitForNextTickAsync(stopping))
        {
            if (_waiting.IsEmpty)
            {
                continue;
            }
            try
            {
                await PollAsync(stopping);
            }
            catch (Exception exception) when (exception is not OperationCanceledException || !stopping.IsCancellationRequested)
            {
                // The store logs its own outages. The waiting callers depend on the next poll, so no failure ends this loop.
            }
        }
    }

    /// <summary>
    /// Reads the statuses of the runs first, which are small, and then only the new outcomes. Outcomes that a batch omits because of their
    /// size are found by a later poll.
    /// </summary>
    private async Task PollAsync(CancellationToken cancellationToken)
    {
        var statuses = await outbox.FindStatusesAsync([.. _waiting.Keys], cancellationToken);
        var news = statuses
            .Where(it => _waiting.TryGetValue(it.Run, out var waiting) && it.Outcome > waiting.After)
            .Select(static it => it.Run)
            .ToImmutableArray();
        if (news.IsEmpty)
        {
            return;
        }
        foreach (var outcome in await outbox.FindAsync(news, cancellationToken))
        {
            Notify(outcome);
        }
    }

    /// <param name="after">All waiting callers already know the outcomes up to this sequence.</param>
    private sealed class Waiting(long after)
    {
        public long After => after;

        public TaskCompletionSource<Outcome> Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
