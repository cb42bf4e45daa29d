using System.Text.Json;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Compilation;

/// <summary>The nodes and edges of a definition, or of one of its sub-graphs, together with the JSON from which they were read.</summary>
/// <param name="Path">The JSON path of this part.</param>
/// <param name="Json">The original JSON.</param>
/// <param name="Nodes">The parsed nodes; each has a config.</param>
/// <param name="Edges">The parsed edges.</param>
internal sealed record GraphPart(string Path, JsonElement Json, IReadOnlyList<NodeDefinition> Nodes, IReadOnlyList<EdgeDefinition> Edges)
{
    public static GraphPart Root(AgentDefinition definition, JsonElement json) =>
        new("$", json, definition.Nodes ?? [], definition.Edges ?? []);

    /// <summary>True if there are edges from START. Otherwise the part is a deep agent.</summary>
    public bool IsWorkflow => Edges.Any(edge => edge.From == Graph.Start);

    /// <summary>
    /// True if the edges only make sense in a workflow, so that the edge from START is missing. That is the case if an edge leads to END or
    /// to a node that is not an agent, or if no node is marked as the orchestrator and an edge leads to a node that is not marked as a
    /// specialist.
    /// </summary>
    public bool LacksStart
    {
        get
        {
            if (IsWorkflow || Edges.Count == 0)
            {
                return false;
            }
            var types = Nodes.DistinctBy(node => node.Id).ToDictionary(node => node.Id, node => node.Type, StringComparer.Ordinal);
            var hasOrchestrator = types.ContainsValue(NodeTypes.Orchestrator);
            return Edges.Any(edge =>
                edge.To == Graph.End
                || IsStep(types, edge.From)
                || IsStep(types, edge.To)
                || (!hasOrchestrator && edge.Type is null && types.GetValueOrDefault(edge.To) != NodeTypes.Specialist)
            );
        }
    }

    /// <summary>The orchestrator of a deep agent: the node of that type, or else the first agent.</summary>
    public NodeDefinition? Orchestrator =>
        Nodes.FirstOrDefault(node => node.Type == NodeTypes.Orchestrator) ?? Nodes.FirstOrDefault(node => NodeTypes.IsAgent(node.Type));

    /// <summary>Returns the nodes with their index.</summary>
    public IEnumerable<(NodeDefinition Node, NodeConfig Config, int Index)> Each() =>
        Nodes.Select((node, index) => (node, node.Config!, index));

    public string PathOf(int node) => $"{Path}.nodes[{node}]";

    /// <summary>Returns the path of a node's field, as the author wrote it.</summary>
    public string PathOf(int node, string field) =>
        Json.Property("nodes") is { ValueKind: JsonValueKind.Array } nodes
            ? DefinitionSource.PathOf(nodes[node], PathOf(node), field)
            : PathOf(node);

    public string PathOfEdge(int edge) => $"{Path}.edges[{edge}]";

    public string PathOfEdge(int edge, string field) => $"{PathOfEdge(edge)}.{field}";

    /// <summary>Returns the path of an end of an edge, with the field name that the author used.</summary>
    public string PathOfEnd(int edge, string field, string otherName)
    {
        var written =
            Json.Property("edges") is { ValueKind: JsonValueKind.Array } edges && edge < edges.GetArrayLength() ? edges[edge] : default;
        return PathOfEdge(edge, written.Property(field) is null && written.Property(otherName) is not null ? otherName : field);
    }

    private static bool IsStep(Dictionary<string, string> types, string id) =>
        types.TryGetValue(id, out var type) && NodeTypes.All.Contains(type) && !NodeTypes.IsAgent(type);

    public GraphPart Inner(int index)
    {
        var path = PathOf(index);
        var json = Json.GetProperty("nodes")[index];
        var holder =
            json.Property("config") is { } config && config.Property("nodes") is not null
                ? (Json: config, Path: $"{path}.config")
                : (Json: json, Path: path);
        return new GraphPart(holder.Path, holder.Json, Nodes[index].Config!.Nodes ?? [], Nodes[index].Config!.Edges ?? []);
    }
}
