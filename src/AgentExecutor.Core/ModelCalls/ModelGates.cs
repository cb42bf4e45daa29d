using System.Collections.Concurrent;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.ModelProviders.Scripted;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>The gates of a process, one for each model server: what one run learns of a server holds for all.</summary>
public sealed class ModelGates(ModelCallSettings settings, TimeProvider time)
{
    private const int Capacity = 1_000;

    private readonly ConcurrentDictionary<(string Provider, string Server), ModelGate> _gates = new();

    public ModelCallSettings Settings => settings;

    /// <summary>Uniform in [0, 1): spreads the retries of many runs.</summary>
    public Func<double> Random { get; init; } = System.Random.Shared.NextDouble;

    public ModelGate Of(ModelSpec spec)
    {
        // A script is a server of its own: one that is told to fail has no part in the others.
        var server = spec.Provider == ScriptedProvider.ProviderName ? spec.Model : spec.BaseUrl ?? "";
        if (_gates.Count >= Capacity)
        {
            foreach (var (key, gate) in _gates.Where(static it => it.Value.IsIdle))
            {
                _gates.TryRemove(KeyValuePair.Create(key, gate)); // callers choose the URLs: their number must not be theirs to choose
            }
        }
        return _gates.GetOrAdd((spec.Provider, server), key => new ModelGate(key.Server.Length > 0 ? $"{key.Provider} at {key.Server}" : key.Provider, settings, time));
    }
}
