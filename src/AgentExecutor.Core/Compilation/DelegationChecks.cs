using AgentExecutor.Core.Definitions;

namespace AgentExecutor.Core.Compilation;

/// <summary>
/// Checks the edges and nodes of a deep agent. An edge leads from the orchestrator to a specialist and allows the orchestrator to delegate
/// tasks to it. Anything else that an edge could say would be ignored, so it is an error. Nodes that a deep agent never runs are errors
/// too, as are settings that only workflows support.
/// </summary>
internal static class DelegationChecks
{
    public static IEnumerable<DefinitionFault> Check(GraphPart part)
    {
        if (part.Orchestrator is not { } orchestrator)
        {
            return []; // AgentChecks reports a missing orchestrator
        }
        return [.. CheckNodes(part, orchestrator), .. CheckEdges(part, orchestrator), .. CheckReached(part, orchestrator)];
    }

    private static IEnumerable<DefinitionFault> CheckNodes(GraphPart part, NodeDefinition orchestrator)
    {
        foreach (var (node, config, index) in part.Each())
        {
            if (!NodeTypes.IsAgent(node.Type) && NodeTypes.All.Contains(node.Type))
            {
                yield return new DefinitionFault(
                    DefinitionCodes.UnreachableNode,
                    part.PathOf(index),
                    $"a {node.Type} node runs only in a workflow, but this is a deep agent",
                    """make the definition a workflow with an edge {"from": "START", "to": "..."}, or remove the node"""
                );
                continue;
            }
            if (config.InterruptBefore == true)
            {
                yield return Ignored(
                    part,
                    index,
                    "interrupt_before",
                    "only nodes of workflows can be interrupted before they run",
                    "ask before tool calls with 'interrupt_on', or make the definition a workflow"
                );
            }
            if (config.InterruptAfter == true)
            {
                yield return Ignored(
                    part,
                    index,
                    "interrupt_after",
                    "only nodes of workflows can be interrupted after they ran",
                    "ask before tool calls with 'interrupt_on', or make the definition a workflow"
                );
            }
            if (config.Limits is not null && node != orchestrator)
            {
                yield return Ignored(
                    part,
                    index,
                    "limits",
                    "limits apply to the run as a whole, so the limits of a specialist would be ignored",
                    "move them to the top level of the definition"
                );
            }
        }
    }

    private static DefinitionFault Ignored(GraphPart part, int index, string field, string message, string hint) =>
        new(DefinitionCodes.IgnoredField, part.PathOf(index, field), message, hint);

    private static IEnumerable<DefinitionFault> CheckEdges(GraphPart part, NodeDefinition orchestrator)
    {
        var agents = AgentIds(part);
        for (var i = 0; i < part.Edges.Count; i++)
        {
            var edge = part.Edges[i];
            if (!agents.Contains(edge.From) || !agents.Contains(edge.To))
            {
                continue; // edges to unknown or unsupported nodes are reported elsewhere
            }
            if (edge.From != orchestrator.Id || edge.To == orchestrator.Id)
            {
                var isReturn = edge.To == orchestrator.Id && edge.From != orchestrator.Id;
                yield return new DefinitionFault(
                    DefinitionCodes.MeaninglessEdge,
                    part.PathOfEdge(i),
                    isReturn
                        ? $"the edge has no effect, because the orchestrator always receives the answer of '{edge.From}'"
                        : $"the edge from '{edge.From}' to '{edge.To}' would be ignored, because only the orchestrator "
                            + $"'{orchestrator.Id}' delegates tasks, and only to other agents",
                    isReturn
                        ? "remove the edge"
                        : $$"""start the edge at '{{orchestrator.Id}}', remove it, or make the definition a workflow with an edge """
                            + """{"from": "START", "to": "..."}""",
                    IsWarning: isReturn
                );
            }
            string[] ignored = [.. edge.When is null ? (string[])[] : ["when"], .. edge.ForEach is null ? (string[])[] : ["for_each"]];
            foreach (var field in ignored)
            {
                yield return new DefinitionFault(
                    DefinitionCodes.MeaninglessEdge,
                    part.PathOfEdge(i, field),
                    $"'{field}' would be ignored, because the orchestrator's model decides when to delegate a task",
                    """remove the field, or make the definition a workflow with an edge {"from": "START", "to": "..."}"""
                );
            }
        }
    }

    /// <summary>If no edge names a specialist, all of them can be called. If some are named, the others may have been forgotten.</summary>
    private static IEnumerable<DefinitionFault> CheckReached(GraphPart part, NodeDefinition orchestrator)
    {
        var agents = AgentIds(part);
        var reached = part
            .Edges.Where(edge => edge.From == orchestrator.Id && agents.Contains(edge.To))
            .Select(edge => edge.To)
            .ToHashSet(StringComparer.Ordinal);
        return reached.Count == 0
            ? []
            : part.Each()
                .Where(it => it.Node != orchestrator && agents.Contains(it.Node.Id) && !reached.Contains(it.Node.Id))
                .Select(it => new DefinitionFault(
                    DefinitionCodes.UnreachableNode,
                    part.PathOf(it.Index),
                    $"no edge leads from the orchestrator '{orchestrator.Id}' to '{it.Node.Id}', although the orchestrator can call it",
                    $$"""add {"from": "{{orchestrator.Id}}", "to": "{{it.Node.Id}}"}, or remove the node""",
                    IsWarning: true
                ));
    }

    private static HashSet<string> AgentIds(GraphPart part) =>
        part.Nodes.Where(node => NodeTypes.IsAgent(node.Type)).Select(node => node.Id).ToHashSet(StringComparer.Ordinal);
}
