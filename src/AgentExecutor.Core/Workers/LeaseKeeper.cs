using System.Collections.Concurrent;
using System.Collections.Immutable;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Workers;

/// <summary>Renews the leases of all runs that this process has, three times a lease and in one call; stops those that others have taken.</summary>
public sealed class LeaseKeeper(IRunQueue queue, Lease lease, TimeProvider time)
{
    private readonly ConcurrentDictionary<Holding, byte> _holdings = new();

    public Lease Lease { get; } = lease;

    /// <summary>Keeps the run's lease alive until the holding is disposed of.</summary>
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

    /// <summary>One renewal. A store that cannot be reached is no reason to stop: commits wait for it too, and the fence decides.</summary>
    public async Task RenewAsync(CancellationToken cancellationToken)
    {
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
            // the store says so itself, once
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // stopping
        }
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

    /// <summary>A run whose lease is kept.</summary>
    public sealed class Holding(RunSession session, LeaseKeeper keeper) : IDisposable
    {
        private readonly CancellationTokenSource _lost = new();
        private int _missed;

        public RunSession Session { get; } = session;

        public HeldRun Run => new(Session.ThreadId, Session.Run.Fence);

        /// <summary>Cancelled when another worker has taken the thread.</summary>
        public CancellationToken Lost => _lost.Token;

        /// <summary>Twice in a row: once may be a run that is just ending, or rows of a commit that is on its way.</summary>
        internal bool IsMissing(ImmutableHashSet<HeldRun> held)
        {
            _missed = held.Contains(Run) ? 0 : _missed + 1;
            return _missed > 1;
        }

        public Task LoseAsync() => _lost.CancelAsync();

        public void Dispose() => keeper._holdings.TryRemove(this, out _); // its source has no timer and needs no disposal: the keeper may still cancel it
    }
}
