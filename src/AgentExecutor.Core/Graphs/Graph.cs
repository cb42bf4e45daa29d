using System.Collections.Frozen;
using System.Collections.Immutable;
using AgentExecutor.Core.Channels;

namespace AgentExecutor.Core.Graphs;

/// <summary>
/// A compiled graph: nodes, edges and channels, and which nodes can be reached from which. Immutable and shared by all runs.
/// </summary>
public sealed class Graph
{
    /// <summary>The name of the entry point of every graph. No node can have this name.</summary>
    public const string Start = "START";

    /// <summary>The name that marks the end of a branch. No node can have this name.</summary>
    public const string End = "END";

    /// <summary>The prefix of the names of barrier channels, in which nodes wait for several branches.</summary>
    public const string JoinPrefix = "join:";

    private readonly FrozenDictionary<string, Node> _nodes;
    private readonly FrozenDictionary<string, ImmutableArray<Edge>> _edgesFrom;
    private readonly FrozenDictionary<string, FrozenSet<string>> _reachableFrom;

    public Graph(string name, ImmutableArray<Node> nodes, ImmutableArray<Edge> edges, ImmutableArray<Channel> channels)
    {
        Name = name;
        Nodes = nodes;
        Edges = edges;
        _nodes = nodes.ToFrozenDictionary(node => node.Name, StringComparer.Ordinal);
        _edgesFrom = edges
            .GroupBy(edge => edge.From)
            .ToFrozenDictionary(group => group.Key, group => group.ToImmutableArray(), StringComparer.Ordinal);
        Joins =
        [
            .. nodes
                .Where(node => node.Join == JoinMode.All)
                .Select(node => new Join(node.Name, JoinPrefix + node.Name, PredecessorsOf(node.Name))),
        ];
        Channels = new ChannelSet([.. channels, .. Joins.Select(Channel (join) => new BarrierChannel(join.Channel))]);
        _reachableFrom = Reachability.Of(nodes.Select(node => node.Name), edges);
    }

    public string Name { get; }

    public ImmutableArray<Node> Nodes { get; }

    public ImmutableArray<Edge> Edges { get; }

    public ChannelSet Channels { get; }

    /// <summary>The nodes that wait for all branches that lead to them.</summary>
    public ImmutableArray<Join> Joins { get; }

    public ImmutableArray<Edge> EdgesFrom(string node) => _edgesFrom.TryGetValue(node, out var edges) ? edges : [];

    public Node? Find(string name) => _nodes.GetValueOrDefault(name);

    /// <summary>Returns the node with this name.</summary>
    /// <exception cref="FaultException">The graph has no such node (<see cref="FaultCodes.UnknownNode"/>), which means that the checkpoint
    /// was written with another definition.</exception>
    public Node Require(string name) =>
        Find(name)
        ?? throw new FaultException(
            FaultCodes.UnknownNode,
            $"the graph '{Name}' has no node '{name}'",
            "resume the thread with the definition that it was started with"
        );

    /// <summary>Returns true if a run of <paramref name="from"/> can lead to a run of <paramref name="to"/>.</summary>
    public bool CanReach(string from, string to) =>
        from == to || (_reachableFrom.TryGetValue(from, out var reachable) && reachable.Contains(to));

    private ImmutableSortedSet<string> PredecessorsOf(string node) =>
        Edges.Where(edge => edge.Targets.Contains(node)).Select(edge => edge.From).ToImmutableSortedSet(StringComparer.Ordinal);
}

/// <summary>A node that waits for several branches.</summary>
/// <param name="Node">The node.</param>
/// <param name="Channel">The barrier channel that records which predecessors have arrived.</param>
/// <param name="Expected">The predecessors of the node.</param>
public sealed record Join(string Node, string Channel, ImmutableSortedSet<string> Expected);
