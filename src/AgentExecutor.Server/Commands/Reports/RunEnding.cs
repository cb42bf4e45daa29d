using System.Collections.Immutable;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Server.Commands.Reports;

/// <summary>How a run ended or stopped, in this process or at a service.</summary>
internal sealed record RunEnding(string ThreadId, RunStatus Status)
{
    /// <summary>For a completed run, the text of the last message, or the state of a workflow without messages.</summary>
    public string Answer { get; init; } = "";

    /// <summary>Null if it is unknown.</summary>
    public RunUsage? Usage { get; init; }

    /// <summary>True if the answer was cut off at the token limit.</summary>
    public bool IsCut { get; init; }

    /// <summary>For a failed run, the reason.</summary>
    public RunFailure? Failure { get; init; }

    /// <summary>For an interrupted run, the open questions.</summary>
    public ImmutableArray<InterruptRequest> Interrupts { get; init; } = [];
}
