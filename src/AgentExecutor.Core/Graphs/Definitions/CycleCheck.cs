namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>Finds cycles that no run could ever leave: of unconditional edges alone, or without any edge out.</summary>
internal static class CycleCheck
{
    public static IEnumerable<DefinitionFault> Check(GraphPart part)
    {
        var all = Reach(part, edge => true);
        var sure = Reach(part, JoinAnalysis.IsSure);
        var told = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (node, _, index) in part.Each())
        {
            if (told.Contains(node.Id) || !all[node.Id].Contains(node.Id))
            {
                continue;
            }
            var cycle = part.Nodes.Select(other => other.Id).Where(id => all[node.Id].Contains(id) && all.TryGetValue(id, out var back) && back.Contains(node.Id)).ToList();
            var hasExit = part.Edges.Any(edge => cycle.Contains(edge.From) && !cycle.Contains(edge.To));
            if (!hasExit || sure[node.Id].Contains(node.Id))
            {
                told.UnionWith(cycle);
                yield return new DefinitionFault(
                    DefinitionCodes.CycleWithoutExit,
                    part.PathOf(index),
                    $"the cycle {string.Join(" -> ", cycle.Append(cycle[0]))} never ends",
                    "give one of its edges a 'when', and an 'else' that leaves the cycle");
            }
        }
    }

    private static Dictionary<string, HashSet<string>> Reach(GraphPart part, Func<EdgeDefinition, bool> follow)
    {
        var edges = part.Edges.Where(follow).Select(Edge (edge) => new Edge.Direct(edge.From, edge.To));
        return Reachability.Of(part.Nodes.Select(node => node.Id).Distinct(), edges).ToDictionary(pair => pair.Key, pair => pair.Value.ToHashSet());
    }
}
