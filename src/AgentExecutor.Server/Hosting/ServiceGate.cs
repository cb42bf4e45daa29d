using AgentExecutor.Core;

namespace AgentExecutor.Server.Hosting;

/// <summary>Decides whether the service accepts requests: none before its store is open, and no new jobs while it stops.</summary>
internal sealed class ServiceGate(Shutdown shutdown) : IDisposable
{
    private readonly CancellationTokenSource _waitingEnds = new();
    private readonly TaskCompletionSource<Service> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>
    /// True from the first signal to stop. Load balancers should send no more requests, but those that arrive are still answered.
    /// </summary>
    public bool IsDraining => shutdown.Draining.IsCancellationRequested;

    /// <summary>True when the service stops and accepts no more jobs.</summary>
    public bool IsStopping => shutdown.Stopping.IsCancellationRequested;

    /// <summary>Why the store cannot be opened yet; null if nothing is wrong.</summary>
    public string? WaitReason { get; set; }

    /// <summary>The service; null until its store is open.</summary>
    public Service? Service => _opened.Task.IsCompletedSuccessfully ? _opened.Task.Result : null;

    /// <summary>
    /// Cancelled when this process executes no more jobs. Requests that wait for a job are then answered with the URL of its result.
    /// </summary>
    public CancellationToken WaitingEnds => _waitingEnds.Token;

    public void Open(Service service)
    {
        WaitReason = null;
        _opened.SetResult(service);
    }

    /// <summary>Completes when the store is open.</summary>
    public Task<Service> WaitUntilOpenAsync(CancellationToken cancellationToken) => _opened.Task.WaitAsync(cancellationToken);

    /// <summary>Ends the waits for the results of jobs.</summary>
    public Task StopWaitingAsync() => _waitingEnds.CancelAsync();

    public void Dispose() => _waitingEnds.Dispose();

    /// <summary>Checks that the store is open.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>.</exception>
    public void CheckOpen()
    {
        if (Service is null)
        {
            throw new FaultException(
                FaultCodes.StoreUnavailable,
                "the service is starting, and its store is not open yet",
                "try again in a moment; GET /ready returns the reason"
            );
        }
    }

    /// <summary>Checks that the service accepts new work.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>, or <see cref="FaultCodes.ShuttingDown"/>.</exception>
    public void CheckAcceptsJobs()
    {
        if (IsStopping)
        {
            throw new FaultException(
                FaultCodes.ShuttingDown,
                "the service is shutting down and accepts no more jobs",
                "try again, so that another replica accepts the job"
            );
        }
        CheckOpen();
    }
}
