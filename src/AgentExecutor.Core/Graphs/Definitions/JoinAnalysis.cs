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

    public JoinAnalysis(GraphPart part)
    {
        _part = part;
        _from = part.Edges.ToLookup(edge => edge.From, StringComparer.Ordinal);
    }

    /// <summary>How the node joins, or null where the author must say.</summary>
    public JoinMode? ModeOf(NodeDefinition node)
    {
        if (node.Config?.Join is { } declared)
        {
            return declared == "all" ? JoinMode.All : JoinMode.Any;
        }
        var before = _part.Edges.Where(edge => edge.To == node.Id && !Reaches(node.Id, edge.From, surely: false)).DistinctBy(edge => edge.From).ToList();
        var mode = JoinMode.Any;
        for (var i = 0; i < before.Count; i++)
        {
            for (var j = i + 1; j < before.Count; j++)
            {
                switch (Meeting(before[i], before[j]))
                {
                    case null:
                        return null;
                    case JoinMode.All:
                        mode = JoinMode.All;
                        break;
                }
            }
        }
        return mode;
    }

    /// <summary>Of two edges into a node, whether both are taken, from branches that run side by side: All when surely, Any when never, null when sometimes.</summary>
    private JoinMode? Meeting(EdgeDefinition left, EdgeDefinition right)
    {
        JoinMode? found = JoinMode.Any;
        foreach (var fork in _part.Nodes.Select(node => node.Id).Append(Graph.Start))
        {
            var edges = _from[fork].ToList();
            foreach (var one in edges)
            {
                foreach (var other in edges.Where(other => other != one && (IsSure(one) || IsSure(other))))
                {
                    if (!Leads(one, left.From) || !Leads(other, right.From))
                    {
                        continue;
                    }
                    if (!(IsSure(one) && IsSure(other) && IsSure(left) && IsSure(right) && Surely(one, left.From) && Surely(other, right.From)))
                    {
                        return null;
                    }
                    found = JoinMode.All;
                }
            }
        }
        return found;
    }

    public static bool IsSure(EdgeDefinition edge) => edge.When is null;

    private bool Leads(EdgeDefinition edge, string to) => edge.To == to || Reaches(edge.To, to, surely: false);

    private bool Surely(EdgeDefinition edge, string to) => edge.To == to || Reaches(edge.To, to, surely: true);

    private bool Reaches(string from, string to, bool surely)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var open = new Stack<string>([from]);
        while (open.TryPop(out var node))
        {
            foreach (var edge in _from[node].Where(edge => !surely || IsSure(edge)))
            {
                if (edge.To == to)
                {
                    return true;
                }
                if (seen.Add(edge.To))
                {
                    open.Push(edge.To);
                }
            }
        }
        return false;
    }
}
