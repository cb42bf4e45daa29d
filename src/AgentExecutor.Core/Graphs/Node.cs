using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Graphs;

/// <summary>A node of a graph: its name, its behaviour and how it is executed.</summary>
public sealed record Node(string Name, NodeBody Body)
{
    public JoinMode Join { get; init; } = JoinMode.Any;

    public RetryPolicy Retry { get; init; } = RetryPolicy.None;

    /// <summary>The time limit of one attempt; null if the node has no limit of its own.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>True to ask a person before the node runs.</summary>
    public bool InterruptBefore { get; init; }

    /// <summary>True to ask a person after the node has run, before its writes take effect.</summary>
    public bool InterruptAfter { get; init; }

    /// <summary>From whom and until when the answers to these questions are expected.</summary>
    public InterruptTerms AnswerTerms { get; init; } = InterruptTerms.None;

    /// <summary>The type of the node, for plans and diagrams.</summary>
    public string Kind { get; init; } = "node";
}

/// <summary>Determines when a node with several incoming edges runs.</summary>
public enum JoinMode
{
    /// <summary>At each arrival. Several arrivals in one superstep run the node once.</summary>
    Any,

    /// <summary>Once all branches have arrived that were started and can still arrive.</summary>
    All,
}
