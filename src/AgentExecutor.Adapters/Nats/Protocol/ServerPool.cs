namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>The servers to try: those named in the settings, and those that they told of.</summary>
internal sealed class ServerPool(IReadOnlyList<NatsEndpoint> seeds)
{
    private readonly Lock _gate = new();
    private IReadOnlyList<NatsEndpoint> _discovered = [];

    /// <summary>A cluster tells its members anew as they come and go; those that went are forgotten, the seeds never.</summary>
    public void Learn(IReadOnlyList<string>? addresses, NatsEndpoint from)
    {
        if (addresses is not { Count: > 0 })
        {
            return;
        }
        var discovered = addresses.Select(address => NatsEndpoint.ParseDiscovered(address, from)).OfType<NatsEndpoint>()
            .Where(endpoint => !seeds.Any(endpoint.IsSameServer)).ToList();
        lock (_gate)
        {
            _discovered = discovered;
        }
    }

    /// <summary>
    /// All of them, each time in another order: so the clients of a server that died spread over the others. The seeds come first, for what a cluster tells
    /// of itself may be addresses that are of no use from here.
    /// </summary>
    public IReadOnlyList<NatsEndpoint> Round()
    {
        lock (_gate)
        {
            return [.. Shuffled(seeds), .. Shuffled(_discovered)];
        }
    }

    private static NatsEndpoint[] Shuffled(IReadOnlyList<NatsEndpoint> endpoints)
    {
        NatsEndpoint[] shuffled = [.. endpoints];
        Random.Shared.Shuffle(shuffled);
        return shuffled;
    }
}
