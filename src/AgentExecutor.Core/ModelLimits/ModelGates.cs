using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Core.ModelLimits;

/// <summary>The gates of a process, one per model server, so that all runs benefit from what one run learns about a server.</summary>
public sealed class ModelGates(ModelCallSettings settings, TimeProvider time)
{
    /// <summary>Definitions can refer to any number of servers, so the number of gates is limited.</summary>
    public const int Capacity = 1_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<ModelAddress, ModelGate> _gates = [];

    public ModelCallSettings Settings => settings;

    /// <summary>Returns numbers that are uniform in [0, 1). They spread the retries of many runs.</summary>
    public Func<double> Random { get; init; } = System.Random.Shared.NextDouble;

    /// <inheritdoc cref="ModelGate.EnterAsync"/>
    public ValueTask<ModelPermit> EnterAsync(
        ModelAddress server,
        long tokens,
        TimeSpan? timeLeft,
        RunWait wait,
        CancellationToken cancellationToken
    ) => Hold(server).EnterAsync(tokens, timeLeft, wait, cancellationToken);

    /// <summary>Returns the gate of a server and registers a call with it.</summary>
    public ModelGate Hold(ModelAddress server)
    {
        lock (_lock)
        {
            if (!_gates.TryGetValue(server, out var gate))
            {
                RemoveOldest();
                _gates[server] = gate = new ModelGate(server.Name, settings, time, Random);
            }
            gate.Hold();
            return gate;
        }
    }

    /// <summary>
    /// Makes room by removing the gate that has been unused for the longest time. Gates that are in use, or that belong to servers of the
    /// operator, are never removed.
    /// </summary>
    private void RemoveOldest()
    {
        if (_gates.Count < Capacity)
        {
            return;
        }
        var idle = _gates.Where(static it => !it.Key.IsOperators && it.Value.IsIdle);
        if (idle.MinBy(static it => it.Value.HeldAt) is { Value: not null } oldest)
        {
            _gates.Remove(oldest.Key);
        }
    }
}
