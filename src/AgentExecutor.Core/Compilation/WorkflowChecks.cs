using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Expressions;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Compilation;

/// <summary>
/// Checks the structure of a workflow: its edges are valid, every node can be reached, every cycle can be left, and joins are unambiguous.
/// </summary>
internal static class WorkflowChecks
{
    public static IEnumerable<DefinitionFault> Check(GraphPart part, AgentDefinition definition) =>
        [
            .. CheckEdges(part),
            .. CheckReachable(part),
            .. CycleCheck.Check(part),
            .. CheckJoins(part),
            .. CheckElse(part),
            .. WriteChecks.Check(part, definition),
            .. CheckTools(part, definition),
            .. CheckTexts(part),
        ];

    private static IEnumerable<DefinitionFault> CheckEdges(GraphPart part)
    {
        if (!part.IsWorkflow)
        {
            yield return new DefinitionFault(
                DefinitionCodes.NoStart,
                $"{part.Path}.edges",
                "no edge starts at START, so no edge would ever be taken",
                part.Path == "$"
                    ? """add {"from": "START", "to": "..."} for a workflow, """
                        + "or keep only edges from the orchestrator to its specialists for a deep agent"
                    : """add {"from": "START", "to": "..."}"""
            );
        }
        for (var i = 0; i < part.Edges.Count; i++)
        {
            var (edge, path) = (part.Edges[i], part.PathOfEdge(i));
            if (edge.When is { } when && when != GraphCompiler.Else && FaultOf(when) is { } badCondition)
            {
                yield return new DefinitionFault(
                    DefinitionCodes.InvalidExpression,
                    $"{path}.when",
                    badCondition,
                    "see docs/workflows.md for expressions"
                );
            }
            if (edge.ForEach is { } items && FaultOf(items) is { } badList)
            {
                yield return new DefinitionFault(
                    DefinitionCodes.InvalidExpression,
                    $"{path}.for_each",
                    badList,
                    "see docs/workflows.md for expressions"
                );
            }
            if (edge is { When: not null, ForEach: not null })
            {
                yield return new DefinitionFault(
                    DefinitionCodes.WrongValue,
                    path,
                    "the edge has both 'when' and 'for_each'",
                    "remove 'when', and use a for_each expression that yields an empty list if the condition fails"
                );
            }
        }
    }

    private static IEnumerable<DefinitionFault> CheckReachable(GraphPart part)
    {
        var reachable = Reachability.Of(
            part.Nodes.Select(node => node.Id).Distinct(),
            part.Edges.Select(Edge (edge) => new Edge.Direct(edge.From, edge.To))
        )[Graph.Start];
        return part.Each()
            .Where(it => part.IsWorkflow && !reachable.Contains(it.Node.Id))
            .Select(it => new DefinitionFault(
                DefinitionCodes.UnreachableNode,
                part.PathOf(it.Index),
                $"no path leads from START to '{it.Node.Id}'",
                "add an edge to the node, or remove the node"
            ));
    }

    private static IEnumerable<DefinitionFault> CheckJoins(GraphPart part)
    {
        var joins = new JoinAnalysis(part);
        return part.Each()
            .Where(it => joins.ModeOf(it.Node) is null)
            .Select(it => new DefinitionFault(
                DefinitionCodes.MissingJoin,
                part.PathOf(it.Index, "join"),
                $"'{it.Node.Id}' is reached by parallel branches, and at least one of them is taken only sometimes",
                "set \"join\": \"all\" (wait for every branch that was started) or \"any\" (run at each arrival)"
            ));
    }

    private static IEnumerable<DefinitionFault> CheckElse(GraphPart part) =>
        part
            .Edges.GroupBy(edge => edge.From)
            .Where(group => group.All(edge => edge.When is not null) && group.All(edge => edge.When != GraphCompiler.Else))
            .Select(group => new DefinitionFault(
                DefinitionCodes.MissingElse,
                $"{part.Path}.edges",
                $"every edge from '{group.Key}' has a condition; if none of them holds, the branch ends there",
                """add {"when": "else"} for that case""",
                IsWarning: true
            ));

    private static IEnumerable<DefinitionFault> CheckTools(GraphPart part, AgentDefinition definition)
    {
        var known = AgentChecks.ToolNames(definition).Where(name => name != TaskTool.ToolName).ToList();
        return part.Each()
            .Where(it => it.Config.Tool is { } tool && !known.Contains(tool))
            .Select(it => new DefinitionFault(
                DefinitionCodes.UnknownTool,
                part.PathOf(it.Index, "tool"),
                $"there is no tool '{it.Config.Tool}'",
                Spelling.Hint(it.Config.Tool!, known, "tools")
            ));
    }

    private static IEnumerable<DefinitionFault> CheckTexts(GraphPart part)
    {
        foreach (var (_, config, index) in part.Each())
        {
            foreach (var (field, json) in TemplatesOf(config))
            {
                DefinitionFault? fault = null;
                try
                {
                    Template.Parse(json);
                }
                catch (ExpressionException exception)
                {
                    fault = new DefinitionFault(
                        DefinitionCodes.InvalidExpression,
                        part.PathOf(index, field),
                        exception.Message,
                        "see docs/workflows.md for expressions"
                    );
                }
                if (fault is not null)
                {
                    yield return fault;
                }
            }
        }
    }

    private static IEnumerable<(string Field, JsonElement Json)> TemplatesOf(NodeConfig config)
    {
        if (config.Input is { } input)
        {
            yield return ("input", JsonBytes.Text(input));
        }
        if (config.Question is { } question)
        {
            yield return ("question", JsonBytes.Text(question));
        }
        if (config.Arguments is { } arguments)
        {
            yield return ("arguments", arguments);
        }
        foreach (var (channel, value) in config.Assign ?? new Dictionary<string, JsonElement>())
        {
            yield return ($"assign.{channel}", value);
        }
    }

    private static string? FaultOf(string expression)
    {
        try
        {
            Expression.Parse(expression);
            return null;
        }
        catch (ExpressionException exception)
        {
            return exception.Message;
        }
    }
}
