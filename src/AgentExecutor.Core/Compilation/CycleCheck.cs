using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Graphs;

namespace AgentExecutor.Core.Compilation;

/// <summary>Finds cycles that a run can never leave, because all their edges are unconditional or no edge leads out of them.</summary>
internal static class CycleCheck
{
    public static IEnumerable<DefinitionFault> Check(GraphPart part)
    {
        var reachable = Reach(part, edge => true);
        var surelyReachable = Reach(part, JoinAnalysis.IsUnconditional);
        var reported = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (node, _, index) in part.Each())
        {
            if (reported.Contains(node.Id) || !reachable[node.Id].Contains(node.Id))
            {
                continue;
            }
            var cycle = part
                .Nodes.Select(other => other.Id)
                .Where(id => reachable[node.Id].Contains(id) && reachable.TryGetValue(id, out var back) && back.Contains(node.Id))
                .ToList();
            var hasExit = part.Edges.Any(edge => cycle.Contains(edge.From) && !cycle.Contains(edge.To));
            if (!hasExit || surelyReachable[node.Id].Contains(node.Id))
            {
                reported.UnionWith(cycle);
                yield return new DefinitionFault(
                    DefinitionCodes.CycleWithoutExit,
                    part.PathOf(index),
                    $"the cycle {string.Join(" -> ", cycle.Append(cycle[0]))} can never be left",
                    "give one of its edges a 'when', and add an 'else' edge that leaves the cycle"
                );
            }
        }
    }

    private static Dictionary<string, HashSet<string>> Reach(GraphPart part, Func<EdgeDefinition, bool> follow)
    {
        var edges = part.Edges.Where(follow).Select(Edge (edge) => new Edge.Direct(edge.From, edge.To));
        return Reachability
            .Of(part.Nodes.Select(node => node.Id).Distinct(), edges)
            .ToDictionary(pair => pair.Key, pair => pair.Value.ToHashSet());
    }
}
