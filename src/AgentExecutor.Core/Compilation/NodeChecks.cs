using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Graphs;

namespace AgentExecutor.Core.Compilation;

/// <summary>Checks each node by itself: its id, its type, and the fields that its type requires.</summary>
internal static class NodeChecks
{
    public static IEnumerable<DefinitionFault> Check(GraphPart part)
    {
        if (part.Nodes.Count == 0)
        {
            yield return new DefinitionFault(
                DefinitionCodes.NoNodes,
                $"{part.Path}.nodes",
                "the graph has no nodes",
                "add at least one node"
            );
        }
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (node, config, index) in part.Each())
        {
            if (!Names.IsValid(node.Id) || node.Id is Graph.Start or Graph.End)
            {
                yield return new DefinitionFault(
                    DefinitionCodes.InvalidName,
                    $"{part.PathOf(index)}.id",
                    $"'{node.Id}' is not a valid node id",
                    $"{Names.Rule}; START and END are reserved"
                );
            }
            if (!seen.Add(node.Id))
            {
                yield return new DefinitionFault(
                    DefinitionCodes.DuplicateName,
                    $"{part.PathOf(index)}.id",
                    $"two nodes have the id '{node.Id}'",
                    "give one of the nodes another id"
                );
            }
            if (!NodeTypes.All.Contains(node.Type))
            {
                yield return new DefinitionFault(
                    DefinitionCodes.UnknownNodeType,
                    $"{part.PathOf(index)}.type",
                    $"there is no node type '{node.Type}'",
                    Spelling.Hint(node.Type, NodeTypes.All, "types")
                );
            }
            foreach (var fault in CheckFields(part, node, config, index).Concat(AnswerFields.Check(part, node, config, index)))
            {
                yield return fault;
            }
        }
    }

    private static IEnumerable<DefinitionFault> CheckFields(GraphPart part, NodeDefinition node, NodeConfig config, int index)
    {
        var needed = node.Type switch
        {
            NodeTypes.Tool when config.Tool is null => "tool",
            NodeTypes.Set when config.Assign is null => "assign",
            NodeTypes.Human when config.Output is null => "output",
            NodeTypes.SubGraph when config.Nodes is null => "nodes",
            _ => null,
        };
        if (needed is not null)
        {
            yield return new DefinitionFault(
                DefinitionCodes.MissingField,
                part.PathOf(index, needed),
                $"a {node.Type} node requires '{needed}'",
                "add the field"
            );
        }
        if (config.Join is not (null or "all" or "any"))
        {
            yield return new DefinitionFault(
                DefinitionCodes.WrongValue,
                part.PathOf(index, "join"),
                $"'{config.Join}' is not a join mode",
                "use all or any"
            );
        }
        foreach (var fault in RetryChecks.Check(config.TimeoutSeconds, config.Retry, field => part.PathOf(index, field)))
        {
            yield return fault;
        }
    }
}
