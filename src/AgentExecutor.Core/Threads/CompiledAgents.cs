using System.Collections.Concurrent;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Definitions;

namespace AgentExecutor.Core.Threads;

/// <summary>Caches a bounded number of compiled definitions by hash.</summary>
public sealed class CompiledAgents(DefinitionEnvironment environment)
{
    private const int Capacity = 256;

    private readonly AgentCompiler _compiler = new(environment);
    private readonly ConcurrentDictionary<string, CompiledAgent> _byHash = new(StringComparer.Ordinal);

    /// <exception cref="DefinitionException">The definition has faults.</exception>
    public async ValueTask<CompiledAgent> GetAsync(ReadOnlyMemory<byte> json, CancellationToken cancellationToken)
    {
        var hash = AgentCompiler.HashOf(json.Span);
        if (_byHash.TryGetValue(hash, out var known))
        {
            return known;
        }
        await environment.Tools.PrepareAsync(DefinitionReader.Read(json).Definition, cancellationToken);
        if (_byHash.Count >= Capacity)
        {
            // Clearing is simpler than tracking the order of use, and compiling takes about a millisecond.
            _byHash.Clear();
        }
        return _byHash.GetOrAdd(hash, _ => _compiler.Compile(json));
    }
}
