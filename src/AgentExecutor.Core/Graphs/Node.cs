using AgentExecutor.Core.Execution;

namespace AgentExecutor.Core.Graphs;

/// <summary>A node of a graph: a name, what it does, and how it is run.</summary>
public sealed record Node(string Name, NodeBody Body)
{
    public JoinMode Join { get; init; } = JoinMode.Any;

    public RetryPolicy Retry { get; init; } = RetryPolicy.None;

    /// <summary>The longest that one attempt may take; null for no limit of its own.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Ask a person before the node runs.</summary>
    public bool InterruptBefore { get; init; }

    /// <summary>Ask a person after the node ran, before its writes take effect.</summary>
    public bool InterruptAfter { get; init; }

    /// <summary>What kind of node it is, for plans and pictures.</summary>
    public string Kind { get; init; } = "node";
}

/// <summary>When a node runs that several edges lead to.</summary>
public enum JoinMode
{
    /// <summary>At each arrival; arrivals of one superstep count as one.</summary>
    Any,

    /// <summary>Once all branches have arrived that were started and can still arrive.</summary>
    All,
}
