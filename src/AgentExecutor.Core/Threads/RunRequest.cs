using System.Text.Json;
using AgentExecutor.Core.Sessions;

namespace AgentExecutor.Core.Threads;

/// <summary>A request to start a run.</summary>
/// <param name="ThreadId">The thread. It is created if it does not exist.</param>
/// <param name="RunId">The run.</param>
/// <param name="Definition">The agent definition, UTF-8 JSON.</param>
/// <param name="Input">The input payload.</param>
/// <param name="TraceId">An id that logs and results contain.</param>
public sealed record RunRequest(string ThreadId, string RunId, ReadOnlyMemory<byte> Definition, JsonElement Input, string TraceId = "");

/// <summary>Signals with which others stop a run and observe whether it waits.</summary>
/// <param name="Requeue">Stop at the next checkpoint and return the run to the queue.</param>
/// <param name="Abandon">Stop without waiting for the next checkpoint. The interrupted work will be repeated.</param>
/// <param name="Cancel">Cancel the work in progress and end the run as cancelled.</param>
public readonly record struct RunSignals(CancellationToken Requeue, CancellationToken Abandon = default, CancellationToken Cancel = default)
{
    /// <summary>Receives whether the run only waits. Null if that is not needed.</summary>
    public RunActivity? Activity { get; init; }
}
