using AgentExecutor.Core;

namespace AgentExecutor.Server.Api;

/// <summary>Lets requests to the service: not before its store is open, and no new jobs once it is asked to stop.</summary>
internal sealed class ServiceGate(CancellationToken stopping) : IDisposable
{
    private readonly CancellationTokenSource _leaving = new();
    private volatile Service? _service;

    public bool IsStopping => stopping.IsCancellationRequested;

    public Service? Service => _service;

    /// <summary>Jobs are worked on here no longer: those who wait for one are told where to ask for it.</summary>
    public CancellationToken Leaving => _leaving.Token;

    public void Open(Service service) => _service = service;

    public Task LeaveAsync() => _leaving.CancelAsync();

    public void Close() => _service = null;

    public void Dispose() => _leaving.Dispose();

    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>.</exception>
    public Service Require() => _service ?? throw new FaultException(
        FaultCodes.StoreUnavailable, "the service is starting: its store is not open yet", "try again in a moment");

    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>, or <see cref="FaultCodes.ShuttingDown"/>.</exception>
    public Service RequireTaking() => IsStopping
        ? throw new FaultException(FaultCodes.ShuttingDown, "the service is stopping and takes no more jobs", "try again: another replica takes them")
        : Require();
}
