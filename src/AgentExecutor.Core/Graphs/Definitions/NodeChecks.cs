namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>Checks of each node by itself: ids, types, and what its type needs.</summary>
internal static class NodeChecks
{
    private const double LongestSeconds = 86_400;

    public static IEnumerable<DefinitionFault> Check(GraphPart part)
    {
        if (part.Nodes.Count == 0)
        {
            yield return new DefinitionFault(DefinitionCodes.NoNodes, $"{part.Path}.nodes", "there are no nodes", "add at least one");
        }
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (node, config, index) in part.Each())
        {
            if (!Names.IsValid(node.Id) || node.Id is Graph.Start or Graph.End)
            {
                yield return new DefinitionFault(DefinitionCodes.InvalidName, $"{part.PathOf(index)}.id", $"'{node.Id}' is no node id", $"{Names.Rule}; START and END are taken");
            }
            if (!seen.Add(node.Id))
            {
                yield return new DefinitionFault(DefinitionCodes.DuplicateName, $"{part.PathOf(index)}.id", $"two nodes have the id '{node.Id}'", "rename one of them");
            }
            if (!NodeTypes.All.Contains(node.Type))
            {
                yield return new DefinitionFault(
                    DefinitionCodes.UnknownNodeType, $"{part.PathOf(index)}.type", $"there is no node type '{node.Type}'", Spelling.Hint(node.Type, NodeTypes.All, "types"));
            }
            foreach (var fault in CheckFields(part, node, config, index))
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
            yield return new DefinitionFault(DefinitionCodes.MissingField, part.PathOf(index, needed), $"a {node.Type} node needs '{needed}'", "add the field");
        }
        if (config.Join is not (null or "all" or "any"))
        {
            yield return new DefinitionFault(DefinitionCodes.WrongValue, part.PathOf(index, "join"), $"'{config.Join}' is no way to join", "use all or any");
        }
        if (config.TimeoutSeconds is <= 0 or > LongestSeconds)
        {
            yield return new DefinitionFault(
                DefinitionCodes.InvalidLimit, part.PathOf(index, "timeout_seconds"), $"a time limit is above 0 and at most {LongestSeconds} seconds", "choose one between, or leave it out");
        }
        if (config.Retry?.FirstDelaySeconds is < 0 or > LongestSeconds || config.Retry?.MaxDelaySeconds is < 0 or > LongestSeconds)
        {
            yield return new DefinitionFault(
                DefinitionCodes.InvalidLimit, part.PathOf(index, "retry"), $"a delay is 0 to {LongestSeconds} seconds", "choose one between");
        }
        if (config.Retry?.MaxAttempts is < 1 or > 20)
        {
            yield return new DefinitionFault(DefinitionCodes.InvalidLimit, part.PathOf(index, "retry") + ".max_attempts", "attempts are 1 to 20", "write a number from 1 to 20");
        }
    }
}
