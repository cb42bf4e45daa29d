using System.Collections.Frozen;

namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>
/// Decides for a node with several edges into it whether it waits for them.
/// <list type="bullet">
/// <item>Branches that one node forks off unconditionally and that surely arrive are joined.</item>
/// <item>Branches of which only one is taken (conditions of one node) are alternatives: the node runs when one arrives.</item>
/// <item>Where an unconditional branch meets one that is taken only sometimes, the author must say which is meant.</item>
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
        _surelyReachable = Reach(part.Edges.Where(IsSure));
    }

    /// <summary>How the node joins, or null where the author must say.</summary>
    public JoinMode? ModeOf(NodeDefinition node)
    {
        if (node.Config?.Join is { } declared)
        {
            return declared == "all" ? JoinMode.All : JoinMode.Any;
        }
        var into = _part.Edges.Where(edge => edge.To == node.Id && !Reaches(_reachable, node.Id, edge.From)).DistinctBy(edge => edge.From).ToList();
        if (into.Count < 2)
        {
            return JoinMode.Any;
        }
        var modes = _part.Nodes.Select(other => other.Id).Append(Graph.Start).Distinct().Where(fork => _from[fork].Skip(1).Any()).SelectMany(fork => Meetings(fork, into));
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

    /// <summary>For each two edges into a node that branches of one fork lead to side by side: All when both surely arrive, null when only sometimes.</summary>
    private IEnumerable<JoinMode?> Meetings(string fork, List<EdgeDefinition> into)
    {
        var leading = into.Select(edge => _from[fork].Where(branch => branch.To == edge.From || Reaches(_reachable, branch.To, edge.From)).ToList()).ToList();
        for (var i = 0; i < into.Count; i++)
        {
            for (var j = i + 1; j < into.Count; j++)
            {
                foreach (var (one, other) in from one in leading[i] from other in leading[j] where one != other && (IsSure(one) || IsSure(other)) select (one, other))
                {
                    yield return IsSure(into[i]) && IsSure(into[j]) && Surely(one, into[i].From) && Surely(other, into[j].From) ? JoinMode.All : null;
                }
            }
        }
    }

    public static bool IsSure(EdgeDefinition edge) => edge.When is null;

    private bool Surely(EdgeDefinition branch, string to) => IsSure(branch) && (branch.To == to || Reaches(_surelyReachable, branch.To, to));

    private static bool Reaches(FrozenDictionary<string, FrozenSet<string>> reachable, string from, string to) =>
        reachable.TryGetValue(from, out var nodes) && nodes.Contains(to);

    private FrozenDictionary<string, FrozenSet<string>> Reach(IEnumerable<EdgeDefinition> edges) =>
        Reachability.Of(_part.Nodes.Select(node => node.Id).Distinct(), edges.Select(Edge (edge) => new Edge.Direct(edge.From, edge.To)));
}
