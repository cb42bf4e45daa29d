using System.Text.Json;

namespace AgentExecutor.Core.Runs;

/// <summary>What a run is asked to do.</summary>
/// <param name="ThreadId">The thread to advance; a new one where it does not exist.</param>
/// <param name="RunId">The run.</param>
/// <param name="Definition">The agent definition, UTF-8 JSON.</param>
/// <param name="Input">The input payload.</param>
/// <param name="TraceId">Carried into logs and results.</param>
public sealed record RunRequest(string ThreadId, string RunId, ReadOnlyMemory<byte> Definition, JsonElement Input, string TraceId = "");

/// <summary>How others stop a run, and learn that it waits.</summary>
/// <param name="GiveBack">Stop at the next checkpoint and leave the run for another worker.</param>
/// <param name="Abandon">Do not wait for that checkpoint: break off what is in flight, to be done again.</param>
/// <param name="Cancel">End the run for good, breaking off what is in flight.</param>
public readonly record struct RunSignals(CancellationToken GiveBack, CancellationToken Abandon = default, CancellationToken Cancel = default)
{
    /// <summary>Is told when the run does nothing but wait; null where nobody asks.</summary>
    public RunActivity? Activity { get; init; }
}
