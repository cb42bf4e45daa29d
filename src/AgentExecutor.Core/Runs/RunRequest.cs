using System.Text.Json;

namespace AgentExecutor.Core.Runs;

/// <summary>What a run is asked to do.</summary>
/// <param name="ThreadId">The thread to advance; a new one where it does not exist.</param>
/// <param name="RunId">The run.</param>
/// <param name="Definition">The agent definition, UTF-8 JSON.</param>
/// <param name="Input">The input payload.</param>
/// <param name="TraceId">Carried into logs and results.</param>
public sealed record RunRequest(string ThreadId, string RunId, ReadOnlyMemory<byte> Definition, JsonElement Input, string TraceId = "");

/// <summary>How others stop a run.</summary>
/// <param name="GiveBack">Stop at the last checkpoint and leave the run for another worker.</param>
/// <param name="Cancel">End the run for good.</param>
public readonly record struct RunSignals(CancellationToken GiveBack, CancellationToken Cancel = default);
