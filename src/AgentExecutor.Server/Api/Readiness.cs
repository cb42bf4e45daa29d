namespace AgentExecutor.Server.Api;

/// <summary>
/// Whether what the service stands on can be reached, asked in the background so that <c>/ready</c> itself waits for nobody. An embedded stand-in is always there.
/// </summary>
internal sealed class Readiness(ServiceGate gate, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    private volatile bool _hasStore;

    public IReadOnlyList<(string Name, bool IsUp)> Services => [("postgres", _hasStore), ("dragonfly", true), ("nats", gate.Service?.Bus.IsConnected ?? false)];

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            _hasStore = gate.Service is { } service && await CanReadAsync(service, stopping);
            await Task.Delay(Pause, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Asks at once, where a change is known.</summary>
    public async Task LookAsync(CancellationToken cancellationToken) => _hasStore = gate.Service is { } service && await CanReadAsync(service, cancellationToken);

    private async Task<bool> CanReadAsync(Service service, CancellationToken cancellationToken)
    {
        try
        {
            using var limit = new CancellationTokenSource(Deadline, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            await service.Outbox.FindAsync([], either.Token);
            return true;
        }
        catch (Exception) // the border of a probe: whatever it was, the store cannot be read, and the next look must come
        {
            return false;
        }
    }
}
