using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Definitions;

namespace AgentExecutor.Core.Compilation;

/// <summary>Finds tasks that are certain to write the same last-value channel in one superstep.</summary>
internal static class WriteChecks
{
    public static IEnumerable<DefinitionFault> Check(GraphPart part, AgentDefinition definition)
    {
        var folding = GraphCompiler
            .DeclaredChannels(part.Nodes, definition)
            .Where(channel => channel is not LastValueChannel)
            .Select(channel => channel.Name)
            .ToHashSet();
        var byId = part.Each().DistinctBy(it => it.Node.Id).ToDictionary(it => it.Node.Id);
        foreach (var fork in part.Edges.Where(edge => edge.When is null).GroupBy(edge => edge.From))
        {
            var writers = fork.Where(edge => edge.ForEach is null && byId.ContainsKey(edge.To))
                .SelectMany(edge => WrittenBy(byId[edge.To].Config).Select(channel => (Channel: channel, Node: byId[edge.To])));
            foreach (
                var conflict in writers.GroupBy(writer => writer.Channel).Where(group => group.Count() > 1 && !folding.Contains(group.Key))
            )
            {
                var names = string.Join(" and ", conflict.Select(writer => $"'{writer.Node.Node.Id}'"));
                yield return Fault(
                    part,
                    conflict.Last().Node.Index,
                    conflict.Key,
                    $"{names} run in parallel and both write '{conflict.Key}'"
                );
            }
        }
        foreach (var edge in part.Edges.Where(edge => edge.ForEach is not null && byId.ContainsKey(edge.To)))
        {
            foreach (var channel in WrittenBy(byId[edge.To].Config).Where(channel => !folding.Contains(channel)))
            {
                yield return Fault(part, byId[edge.To].Index, channel, $"'{edge.To}' runs once per item, and each run writes '{channel}'");
            }
        }
    }

    private static IEnumerable<string> WrittenBy(NodeConfig config) =>
        (config.Assign?.Keys ?? []).Concat(config.Output is { } output ? [output] : []).Distinct();

    private static DefinitionFault Fault(GraphPart part, int index, string channel, string message) =>
        new(
            DefinitionCodes.ConflictingWrites,
            part.PathOf(index),
            $"{message}, which keeps one value",
            $$$$"""declare it in state_schema with a reducer, as in {"properties": {"{{{{channel}}}}": {"reducer": "append"}}}"""
        );
}
