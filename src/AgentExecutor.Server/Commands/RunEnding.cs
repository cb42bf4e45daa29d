using System.Collections.Immutable;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Server.Commands;

/// <summary>How a run came to stand, wherever it ran.</summary>
internal sealed record RunEnding(string ThreadId, RunStatus Status)
{
    /// <summary>Of a completed run: the last message's text, or what a workflow without one has in its state.</summary>
    public string Answer { get; init; } = "";

    /// <summary>Null where it is not told.</summary>
    public RunUsage? Usage { get; init; }

    /// <summary>The answer was cut at its limit of tokens.</summary>
    public bool IsCut { get; init; }

    /// <summary>Of a failed run.</summary>
    public RunFailure? Failure { get; init; }

    /// <summary>Of an interrupted run: what it waits for.</summary>
    public ImmutableArray<InterruptRequest> Interrupts { get; init; } = [];
}
