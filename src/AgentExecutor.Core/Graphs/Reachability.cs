using System.Collections.Frozen;

namespace AgentExecutor.Core.Graphs;

/// <summary>Computes which nodes can be reached from which over one or more edges.</summary>
internal static class Reachability
{
    public static FrozenDictionary<string, FrozenSet<string>> Of(IEnumerable<string> nodes, IEnumerable<Edge> edges)
    {
        var next = edges.ToLookup(edge => edge.From, edge => edge.Targets);
        return nodes.Append(Graph.Start).Distinct().ToFrozenDictionary(node => node, node => From(node, next), StringComparer.Ordinal);
    }

    private static FrozenSet<string> From(string start, ILookup<string, IReadOnlyList<string>> next)
    {
        var reached = new HashSet<string>(StringComparer.Ordinal);
        var pending = new Stack<string>([start]);
        while (pending.TryPop(out var node))
        {
            foreach (var target in next[node].SelectMany(targets => targets))
            {
                if (reached.Add(target))
                {
                    pending.Push(target);
                }
            }
        }
        return reached.ToFrozenSet(StringComparer.Ordinal);
    }
}
