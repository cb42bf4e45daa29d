using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Graphs;

namespace AgentExecutor.Core.Compilation;

/// <summary>
/// Checks each edge by itself, in workflows and deep agents alike: its ends exist, its type is known, and it is not a duplicate.
/// </summary>
internal static class EdgeChecks
{
    private static readonly string[] DelegationTypes = ["orchestrator", "specialist", "specialists"];

    public static IEnumerable<DefinitionFault> Check(GraphPart part)
    {
        var ids = part.Nodes.Select(node => node.Id).Where(id => id.Length > 0).Distinct().ToList();
        var known = ids.ToHashSet(StringComparer.Ordinal);
        var first = new Dictionary<(string, string, string?, string?, string?), int>();
        for (var i = 0; i < part.Edges.Count; i++)
        {
            var edge = part.Edges[i];
            IEnumerable<DefinitionFault> faults =
            [
                .. CheckEnd(
                    edge.From,
                    edge.Source,
                    part.PathOfEnd(i, "from", "source"),
                    part.PathOfEdge(i, "source"),
                    known,
                    ids,
                    Graph.Start
                ),
                .. CheckEnd(edge.To, edge.Target, part.PathOfEnd(i, "to", "target"), part.PathOfEdge(i, "target"), known, ids, Graph.End),
                .. CheckType(edge, part, i),
            ];
            foreach (var fault in faults)
            {
                yield return fault;
            }
            if (
                edge.From.Length > 0
                && edge.To.Length > 0
                && !first.TryAdd((edge.From, edge.To, edge.When, edge.ForEach, edge.Type?.ToLowerInvariant()), i)
            )
            {
                var original = first[(edge.From, edge.To, edge.When, edge.ForEach, edge.Type?.ToLowerInvariant())];
                yield return new DefinitionFault(
                    DefinitionCodes.DuplicateEdge,
                    part.PathOfEdge(i),
                    $"the edge from '{edge.From}' to '{edge.To}' duplicates {part.PathOfEdge(original)}",
                    "remove one of the two edges"
                );
            }
        }
    }

    private static IEnumerable<DefinitionFault> CheckEnd(
        string end,
        string? other,
        string path,
        string otherPath,
        HashSet<string> known,
        List<string> ids,
        string boundary
    )
    {
        if (end.Length == 0)
        {
            var what = boundary == Graph.Start ? "starts" : "ends";
            yield return new DefinitionFault(
                DefinitionCodes.MissingField,
                path,
                $"the field that says where the edge {what} is missing",
                $"add it, with a node's id or {boundary}"
            );
            yield break;
        }
        if (other is not null && other != end)
        {
            yield return new DefinitionFault(
                DefinitionCodes.WrongValue,
                otherPath,
                $"two fields with the same meaning have different values, '{end}' and '{other}'",
                "keep one of the two fields"
            );
        }
        if (end != boundary && !known.Contains(end))
        {
            yield return new DefinitionFault(
                DefinitionCodes.UnknownNode,
                path,
                $"there is no node '{end}'",
                Spelling.Hint(end, ids.Append(boundary), "nodes")
            );
        }
    }

    private static IEnumerable<DefinitionFault> CheckType(EdgeDefinition edge, GraphPart part, int index)
    {
        if (edge.Type is not { } type)
        {
            yield break;
        }
        if (!DelegationTypes.Contains(type, StringComparer.OrdinalIgnoreCase))
        {
            yield return new DefinitionFault(
                DefinitionCodes.WrongValue,
                part.PathOfEdge(index, "type"),
                $"there is no edge type '{type}'",
                "use orchestrator or specialists for delegation, or omit the field"
            );
        }
        else if (part.IsWorkflow)
        {
            yield return new DefinitionFault(
                DefinitionCodes.WrongValue,
                part.PathOfEdge(index, "type"),
                "the edges of a workflow determine what runs next and cannot mean delegation",
                "remove 'type'; or, for an orchestrator with specialists, remove the edges from START"
            );
        }
    }
}
