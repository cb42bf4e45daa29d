using System.Collections.Concurrent;
using System.Text.Json;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Graphs;

namespace AgentExecutor.Core.Tools;

/// <summary>
/// Creates the policies of tools from their definitions. Equal definitions share their limits, so that an agent which is compiled again
/// does not start with unused ones.
/// </summary>
internal sealed class ToolPolicies(TimeProvider time)
{
    private const int Capacity = 1_024;

    private readonly ConcurrentDictionary<string, WeakReference<ToolGate>> _gates = new(StringComparer.Ordinal);

    /// <param name="definition">The definition of the tool.</param>
    /// <param name="otherwise">The policy of its runtime, for what the definition does not say.</param>
    public ToolPolicy Read(ToolDefinition definition, ToolPolicy otherwise) =>
        otherwise with
        {
            Timeout = definition.TimeoutSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : otherwise.Timeout,
            Retry = definition.Retry is { } retry ? RetryOf(retry) : otherwise.Retry,
            Gate = definition.MaxConcurrent is null && definition.CallsPerMinute is null ? otherwise.Gate : GateOf(definition),
        };

    private static RetryPolicy RetryOf(RetryDefinition retry) =>
        new(
            retry.MaxAttempts ?? RetryPolicy.Standard.MaxAttempts,
            TimeSpan.FromSeconds(retry.FirstDelaySeconds ?? RetryPolicy.Standard.FirstDelay.TotalSeconds),
            TimeSpan.FromSeconds(retry.MaxDelaySeconds ?? RetryPolicy.Standard.MaxDelay.TotalSeconds)
        );

    private ToolGate GateOf(ToolDefinition definition)
    {
        var key = JsonSerializer.Serialize(definition, DefinitionJson.Default.ToolDefinition);
        if (_gates.TryGetValue(key, out var known) && known.TryGetTarget(out var shared))
        {
            return shared;
        }
        if (_gates.Count >= Capacity)
        {
            foreach (var (unused, _) in _gates.Where(it => !it.Value.TryGetTarget(out _)).ToList())
            {
                _gates.TryRemove(unused, out _);
            }
        }
        var gate = new ToolGate(definition.MaxConcurrent, definition.CallsPerMinute, time);
        _gates[key] = new WeakReference<ToolGate>(gate);
        return gate;
    }
}
