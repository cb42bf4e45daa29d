using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.InMemory;

/// <summary>An outcome in memory.</summary>
internal sealed record InMemoryOutcome(Run Run, StoredResult Result, string TraceParent, DateTimeOffset CreatedAt)
{
    public bool IsPublished { get; set; }

    public bool IsTaken { get; set; }
}
