using System.Collections.Frozen;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Graphs;

namespace AgentExecutor.Core.Compilation;

/// <summary>
/// Determines whether a node with several incoming edges waits for them.
/// <list type="bullet">
/// <item>Branches that one node starts unconditionally, and that are certain to arrive, are joined.</item>
/// <item>Conditional branches of one node, of which only one is taken, are alternatives: the node runs when one of them arrives.</item>
/// <item>If an unconditional branch meets one that is only sometimes taken, the author must state which behaviour is intended.</item>
/// </list>
/// </summary>
internal sealed class JoinAnalysis
{
    private readonly GraphPart _part;
    private readonly ILookup<string, EdgeDefinition> _from;
    private readonly FrozenDictionary<string, FrozenSet<string>> _reachable;
    private readonly FrozenDictionary<string, FrozenSet<string>> _surelyReachable;

    public JoinAnalysis(GraphPart part)
    {
        _part = part;
        _from = part.Edges.ToLookup(edge => edge.From, StringComparer.Ordinal);
        _reachable = Reach(part.Edges);
        _surelyReachable = Reach(part.Edges.Where(IsUnconditional));
    }

    /// <summary>Returns how the node joins its branches, or null if the author must state it.</summary>
    public JoinMode? ModeOf(NodeDefinition node)
    {
        if (node.Config?.Join is { } declared)
        {
            return declared == "all" ? JoinMode.All : JoinMode.Any;
        }
        var into = _part
            .Edges.Where(edge => edge.To == node.Id && !Reaches(_reachable, node.Id, edge.From))
            .DistinctBy(edge => edge.From)
            .ToList();
        if (into.Count < 2)
        {
            return JoinMode.Any;
        }
        var modes = _part
            .Nodes.Select(other => other.Id)
            .Append(Graph.Start)
            .Distinct()
            .Where(fork => _from[fork].Skip(1).Any())
            .SelectMany(fork => ModesOfPairs(fork, into));
        var joins = false;
        foreach (var mode in modes)
        {
            if (mode is null)
            {
                return null;
            }
            joins = true;
        }
        return joins ? JoinMode.All : JoinMode.Any;
    }

    /// <summary>
    /// For each pair of edges into a node that parallel branches of one fork lead to: All if both branches are certain to arrive, null if
    /// one of them only sometimes arrives.
    /// </summary>
    private IEnumerable<JoinMode?> ModesOfPairs(string fork, List<EdgeDefinition> into)
    {
        var leading = into.Select(edge =>
                _from[fork].Where(branch => branch.To == edge.From || Reaches(_reachable, branch.To, edge.From)).ToList()
            )
            .ToList();
        for (var i = 0; i < into.Count; i++)
        {
            for (var j = i + 1; j < into.Count; j++)
            {
                var pairs =
                    from one in leading[i]
                    from other in leading[j]
                    where one != other && (IsUnconditional(one) || IsUnconditional(other))
                    select (one, other);
                foreach (var (one, other) in pairs)
                {
                    var areCertain =
                        IsUnconditional(into[i])
                        && IsUnconditional(into[j])
                        && ReachesSurely(one, into[i].From)
                        && ReachesSurely(other, into[j].From);
                    yield return areCertain ? JoinMode.All : null;
                }
            }
        }
    }

    public static bool IsUnconditional(EdgeDefinition edge) => edge.When is null;

    private bool ReachesSurely(EdgeDefinition branch, string to) =>
        IsUnconditional(branch) && (branch.To == to || Reaches(_surelyReachable, branch.To, to));

    private static bool Reaches(FrozenDictionary<string, FrozenSet<string>> reachable, string from, string to) =>
        reachable.TryGetValue(from, out var nodes) && nodes.Contains(to);

    private FrozenDictionary<string, FrozenSet<string>> Reach(IEnumerable<EdgeDefinition> edges) =>
        Reachability.Of(_part.Nodes.Select(node => node.Id).Distinct(), edges.Select(Edge (edge) => new Edge.Direct(edge.From, edge.To)));
}
