using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>The nodes and edges of a definition, or of one of its sub-graphs, with the JSON that they were read from.</summary>
/// <param name="Path">Its JSON path.</param>
/// <param name="Json">As written.</param>
/// <param name="Nodes">As read; each has a config.</param>
/// <param name="Edges">As read.</param>
internal sealed record GraphPart(string Path, JsonElement Json, IReadOnlyList<NodeDefinition> Nodes, IReadOnlyList<EdgeDefinition> Edges)
{
    public static GraphPart Root(AgentDefinition definition, JsonElement json) => new("$", json, definition.Nodes ?? [], definition.Edges ?? []);

    /// <summary>With edges from START it is a workflow; else a deep agent.</summary>
    public bool IsWorkflow => Edges.Any(edge => edge.From == Graph.Start);

    /// <summary>The orchestrator of a deep agent: the node of that type, or the first agent.</summary>
    public NodeDefinition? Orchestrator => Nodes.FirstOrDefault(node => node.Type == NodeTypes.Orchestrator) ?? Nodes.FirstOrDefault(node => NodeTypes.IsAgent(node.Type));

    /// <summary>The nodes with their index.</summary>
    public IEnumerable<(NodeDefinition Node, NodeConfig Config, int Index)> Each() => Nodes.Select((node, index) => (node, node.Config!, index));

    public string PathOf(int node) => $"{Path}.nodes[{node}]";

    /// <summary>The path of a node's field, where the author wrote it.</summary>
    public string PathOf(int node, string field) =>
        Json.Property("nodes") is { ValueKind: JsonValueKind.Array } nodes ? DefinitionSource.PathOf(nodes[node], PathOf(node), field) : PathOf(node);

    public GraphPart Inner(int index)
    {
        var path = PathOf(index);
        var json = Json.GetProperty("nodes")[index];
        var holder = json.Property("config") is { } config && config.Property("nodes") is not null ? (Json: config, Path: $"{path}.config") : (Json: json, Path: path);
        return new GraphPart(holder.Path, holder.Json, Nodes[index].Config!.Nodes ?? [], Nodes[index].Config!.Edges ?? []);
    }
}
