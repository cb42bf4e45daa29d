using System.Collections.Concurrent;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Core.Jobs;

/// <summary>Those who wait for runs to come to their end, here or on another worker. One look serves them all.</summary>
public sealed class RunWaits(IOutbox outbox, TimeProvider time)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<RunKey, TaskCompletionSource<Outcome>> _waiting = new();

    /// <summary>The run's outcome: its end, or the question that it waits for.</summary>
    /// <param name="after">How far the run is known to have come: a question from before that was answered since, and a failure begun again.</param>
    public async Task<Outcome> WaitAsync(RunKey run, long after, CancellationToken cancellationToken)
    {
        while (true)
        {
            var told = _waiting.GetOrAdd(run, static _ => new TaskCompletionSource<Outcome>(TaskCreationOptions.RunContinuationsAsynchronously));
            var outcome = await told.Task.WaitAsync(cancellationToken); // whoever gives up leaves it to be told, and forgotten then
            if (outcome.Sequence > after)
            {
                return outcome;
            }
        }
    }

    /// <summary>Tells whoever waits for it.</summary>
    public void Tell(Outcome outcome)
    {
        if (_waiting.TryRemove(outcome.Run, out var told))
        {
            told.TrySetResult(outcome);
        }
    }

    /// <summary>Looks for outcomes that others have brought about.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(Look, time);
        while (await timer.WaitForNextTickAsync(stopping))
        {
            if (_waiting.IsEmpty)
            {
                continue;
            }
            try
            {
                foreach (var outcome in await outbox.FindAsync([.. _waiting.Keys], stopping))
                {
                    Tell(outcome);
                }
            }
            catch (FaultException)
            {
                // The store says so itself, once. Those who wait depend on there being a next look, whatever was wrong with this one.
            }
        }
    }
}
