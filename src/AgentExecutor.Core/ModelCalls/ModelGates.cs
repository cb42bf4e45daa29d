using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>The gates of a process, one for each model server: what one run learns of a server holds for all.</summary>
public sealed class ModelGates(ModelCallSettings settings, TimeProvider time)
{
    /// <summary>Definitions choose servers: how many are remembered must not be theirs to choose.</summary>
    public const int Capacity = 1_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<ModelAddress, ModelGate> _gates = [];

    public ModelCallSettings Settings => settings;

    /// <summary>Uniform in [0, 1): spreads the retries of many runs.</summary>
    public Func<double> Random { get; init; } = System.Random.Shared.NextDouble;

    /// <inheritdoc cref="ModelGate.EnterAsync"/>
    public ValueTask<ModelPermit> EnterAsync(ModelAddress server, long tokens, TimeSpan? timeLeft, RunSession session, CancellationToken cancellationToken) =>
        Hold(server).EnterAsync(tokens, timeLeft, session, cancellationToken);

    /// <summary>The server's gate, with one counted in.</summary>
    public ModelGate Hold(ModelAddress server)
    {
        lock (_lock)
        {
            if (!_gates.TryGetValue(server, out var gate))
            {
                Forget();
                _gates[server] = gate = new ModelGate(server.Name, settings, time, Random);
            }
            gate.Hold();
            return gate;
        }
    }

    /// <summary>Makes room: forgets the server of a definition's own that has not been asked for longest. Those in use are never forgotten, nor the operator's.</summary>
    private void Forget()
    {
        if (_gates.Count >= Capacity && _gates.Where(static it => !it.Key.IsOperators && it.Value.IsIdle).MinBy(static it => it.Value.HeldAt) is { Value: not null } oldest)
        {
            _gates.Remove(oldest.Key);
        }
    }
}
