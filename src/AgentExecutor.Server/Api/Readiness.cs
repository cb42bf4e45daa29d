using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Server.Api;

/// <summary>
/// Whether what the service stands on can be reached, asked in the background so that <c>/ready</c> itself waits for nobody. An embedded stand-in is always there.
/// </summary>
internal sealed class Readiness(ServiceGate gate, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    private volatile bool _hasStore;

    /// <summary>Live events are best effort: where they are away, jobs are taken all the same.</summary>
    public IReadOnlyList<(string Name, bool IsUp, bool IsNeeded)> Services =>
    [
        ("postgres", _hasStore, true),
        ("dragonfly", gate.Service?.App.Transport?.IsConnected ?? true, false),
        ("nats", gate.Service?.Bus.IsConnected ?? false, true),
    ];

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            await Task.WhenAll(LookAsync(stopping), ConnectAsync(stopping));
            await Task.Delay(Pause, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Asks at once, where a change is known.</summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        if (gate.Service is not { } service)
        {
            _hasStore = false;
            return;
        }
        _hasStore = await TryAsync(cancel => service.Outbox.FindAsync([], cancel).AsTask(), cancellationToken);
    }

    /// <summary>Whoever has no other use for the bus connects here.</summary>
    private async Task ConnectAsync(CancellationToken cancellationToken)
    {
        if (gate.Service is { Bus.IsConnected: false } service)
        {
            await TryAsync(cancel => service.Bus.ReadAsync(new BusQuery(BusStream.DeadLetters, 1, HasBodies: false), cancel).AsTask(), cancellationToken);
        }
    }

    private async Task<bool> TryAsync(Func<CancellationToken, Task> use, CancellationToken cancellationToken)
    {
        try
        {
            using var limit = new CancellationTokenSource(Deadline, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            await use(either.Token);
            return true;
        }
        catch (Exception) // the border of a probe: whatever it was, it cannot be reached, and the next look must come
        {
            return false;
        }
    }
}
