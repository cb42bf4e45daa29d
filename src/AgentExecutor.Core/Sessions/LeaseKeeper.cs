using System.Collections.Concurrent;
using System.Collections.Immutable;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Sessions;

/// <summary>
/// Renews the leases of all runs that this process executes, in one call and three times within the length of a lease. Stops the runs that
/// other workers have taken over.
/// </summary>
public sealed class LeaseKeeper(IRunQueue queue, Lease lease, TimeProvider time)
{
    private readonly ConcurrentDictionary<Holding, byte> _holdings = new();
    private long _renewedAt = time.GetTimestamp();

    public Lease Lease { get; } = lease;

    /// <summary>Renews the run's lease until the returned object is disposed of.</summary>
    public Holding Hold(RunSession session)
    {
        var holding = new Holding(session, this);
        _holdings.TryAdd(holding, 0);
        return holding;
    }

    public async Task RunAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(Lease.Length / 3, time);
        while (await NextAsync(timer, stopping))
        {
            await RenewAsync(stopping);
        }
    }

    /// <summary>
    /// Renews at once if the last renewal was more than half a lease ago, which happens if this process was suspended or is slow.
    /// </summary>
    public ValueTask RenewIfLateAsync(CancellationToken cancellationToken) =>
        time.GetElapsedTime(Interlocked.Read(ref _renewedAt)) > Lease.Length / 2
            ? new ValueTask(RenewAsync(cancellationToken))
            : ValueTask.CompletedTask;

    /// <summary>
    /// Renews all leases once. The runs are not stopped when the store cannot be reached: their commits wait for the store too, and the
    /// fencing token decides.
    /// </summary>
    public async Task RenewAsync(CancellationToken cancellationToken)
    {
        Interlocked.Exchange(ref _renewedAt, time.GetTimestamp());
        var holdings = _holdings.Keys.Where(holding => holding.Session.IsHeld).ToList();
        if (holdings.Count == 0)
        {
            return;
        }
        try
        {
            var held = await queue.RenewAsync(Lease, [.. holdings.Select(holding => holding.Run)], cancellationToken);
            foreach (var holding in holdings.Where(holding => holding.IsMissing(held) && holding.Session.IsHeld))
            {
                await holding.LoseAsync();
            }
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
        {
            // The store logs its own outages.
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested) { }
    }

    private static async Task<bool> NextAsync(PeriodicTimer timer, CancellationToken stopping)
    {
        try
        {
            return await timer.WaitForNextTickAsync(stopping);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>A run whose lease is renewed.</summary>
    public sealed class Holding(RunSession session, LeaseKeeper keeper) : IDisposable
    {
        private readonly CancellationTokenSource _lost = new();
        private int _missed;

        public RunSession Session { get; } = session;

        public HeldRun Run => new(Session.ThreadId, Session.Run.Fence);

        /// <summary>Cancelled when another worker has taken the thread.</summary>
        public CancellationToken Lost => _lost.Token;

        /// <summary>
        /// Returns true if the lease was missing in two successive renewals. It may be missing once when the run is just ending or its
        /// commit is in progress.
        /// </summary>
        internal bool IsMissing(ImmutableHashSet<HeldRun> held)
        {
            _missed = held.Contains(Run) ? 0 : _missed + 1;
            return _missed > 1;
        }

        public Task LoseAsync() => _lost.CancelAsync();

        // The CancellationTokenSource has no timer, so it needs no disposal. The keeper may still cancel it.
        public void Dispose() => keeper._holdings.TryRemove(this, out _);
    }
}
