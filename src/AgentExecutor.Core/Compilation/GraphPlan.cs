using System.Globalization;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Steps;

namespace AgentExecutor.Core.Compilation;

/// <summary>Describes a compiled definition for people: its nodes, edges, agents, tools, models and limits.</summary>
public sealed class GraphPlan(CompiledAgent agent, IReadOnlyList<DefinitionFault> warnings)
{
    public string ToText()
    {
        var text = new StringBuilder();
        text.Append(
            CultureInfo.InvariantCulture,
            $"{agent.Name}: {(agent.NeedsMessage ? "deep agent" : "workflow")}, {agent.Hash[..12]}\n\nnodes\n"
        );
        AppendGraph(text, agent.Graph, "  ");
        text.Append("\nagents\n");
        foreach (var spec in agent.Agents)
        {
            var tools = spec.Tools.IsEmpty ? "" : $", tools {string.Join(", ", spec.Tools.Select(tool => tool.Name))}";
            var asks = spec.InterruptOn.IsEmpty
                ? ""
                : $", asks before {string.Join(", ", spec.InterruptOn.Keys.Order(StringComparer.Ordinal))}";
            text.Append(
                CultureInfo.InvariantCulture,
                $"  {spec.Name} ({string.Join(", else ", spec.Model.Fallbacks.Prepend(spec.Model))}){tools}{asks}\n"
            );
        }
        var limits = agent.Limits;
        text.Append("\nlimits\n");
        text.Append(CultureInfo.InvariantCulture, $"  supersteps {limits.MaxSupersteps}, tool calls {limits.MaxToolCalls}, ");
        text.Append(CultureInfo.InvariantCulture, $"sub-agent depth {limits.MaxSubagentDepth}, parallel tasks {limits.MaxParallelTasks}, ");
        text.Append(CultureInfo.InvariantCulture, $"fan-out {limits.MaxFanOut}, tokens {limits.MaxTokens}, ");
        text.Append(CultureInfo.InvariantCulture, $"dollars {limits.MaxCostUsd}, seconds {limits.MaxSeconds}\n");
        AppendBudget(text);
        foreach (var warning in warnings)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"\nwarning at {warning.Path}: {warning.Message} [{warning.Code}]\n  hint: {warning.Hint}\n"
            );
        }
        return text.ToString();
    }

    private void AppendBudget(StringBuilder text)
    {
        foreach (var scope in Enum.GetValues<BudgetScope>())
        {
            if (agent.Budget.Of(scope) is { } limit)
            {
                var per = scope == BudgetScope.Definition ? $" a {agent.Budget.Period.ToString().ToLowerInvariant()}" : "";
                var parts = new[]
                {
                    limit.Cost is { } cost ? string.Create(CultureInfo.InvariantCulture, $"${cost:0.00####}") : "",
                    limit.Tokens is { } tokens ? string.Create(CultureInfo.InvariantCulture, $"{tokens} tokens") : "",
                };
                var amounts = string.Join(", ", parts.Where(part => part.Length > 0));
                text.Append(CultureInfo.InvariantCulture, $"budget of the {scope.ToString().ToLowerInvariant()}{per}: {amounts}, ");
                text.Append(CultureInfo.InvariantCulture, $"then {agent.Budget.OnExhausted.ToString().ToLowerInvariant()}\n");
            }
        }
    }

    /// <summary>Returns the graph as a Mermaid flowchart.</summary>
    public string ToMermaid()
    {
        var text = new StringBuilder("flowchart TD\n");
        AppendMermaid(text, agent.Graph, "");
        return text.ToString();
    }

    public string ToJson() => JsonBytes.WriteText(this, static (writer, it) => it.Write(writer));

    public static string FaultsToJson(IReadOnlyList<DefinitionFault> faults) =>
        JsonBytes.WriteText(
            faults,
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteBoolean("valid"u8, it.All(fault => fault.IsWarning));
                WriteFaults(writer, it);
                writer.WriteEndObject();
            }
        );

    private static void AppendGraph(StringBuilder text, Graph graph, string indent)
    {
        foreach (var node in graph.Nodes)
        {
            var join = node.Join == JoinMode.All ? ", joins" : "";
            text.Append(CultureInfo.InvariantCulture, $"{indent}{node.Name} [{node.Kind}{join}]\n");
            if (node.Body is SubGraphStep inner)
            {
                AppendGraph(text, inner.Graph, indent + "  | ");
            }
        }
        foreach (var edge in graph.Edges)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"{indent}{edge.From} -> {string.Join(" | ", edge.Targets)}{Label(edge, " ({0})")}\n"
            );
        }
    }

    private static void AppendMermaid(StringBuilder text, Graph graph, string prefix)
    {
        text.Append(CultureInfo.InvariantCulture, $"    {prefix}START((start))\n    {prefix}END((end))\n");
        foreach (var node in graph.Nodes)
        {
            text.Append(CultureInfo.InvariantCulture, $"    {prefix}{node.Name}[\"{node.Name}<br/><i>{node.Kind}</i>\"]\n");
            if (node.Body is SubGraphStep inner)
            {
                text.Append(CultureInfo.InvariantCulture, $"    subgraph {prefix}{node.Name}_inner [{node.Name}]\n");
                AppendMermaid(text, inner.Graph, $"{prefix}{node.Name}_");
                text.Append("    end\n");
                text.Append(CultureInfo.InvariantCulture, $"    {prefix}{node.Name} -.-> {prefix}{node.Name}_START\n");
            }
        }
        foreach (var edge in graph.Edges)
        {
            foreach (var target in edge.Targets)
            {
                var arrow =
                    edge is Edge.Direct ? "-->"
                    : edge is Edge.Router ? "-.->"
                    : $"-->|\"{Label(edge, "{0}").Replace('"', '\'')}\"|";
                text.Append(CultureInfo.InvariantCulture, $"    {prefix}{edge.From} {arrow} {prefix}{target}\n");
            }
        }
    }

    private static string Label(Edge edge, string format) =>
        edge switch
        {
            Edge.When branch => string.Format(CultureInfo.InvariantCulture, format, $"when {branch.Text}"),
            Edge.Otherwise => string.Format(CultureInfo.InvariantCulture, format, "else"),
            Edge.FanOut fanOut => string.Format(CultureInfo.InvariantCulture, format, $"for each of {fanOut.Text}"),
            _ => "",
        };

    private void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteBoolean("valid"u8, true);
        writer.WriteString("name"u8, agent.Name);
        writer.WriteString("hash"u8, agent.Hash);
        writer.WriteString("form"u8, agent.NeedsMessage ? "deep_agent"u8 : "workflow"u8);
        WriteGraph(writer, agent.Graph);
        writer.WriteStartArray("agents"u8);
        foreach (var spec in agent.Agents)
        {
            writer.WriteStartObject();
            writer.WriteString("name"u8, spec.Name);
            writer.WriteString("model"u8, spec.Model.ToString());
            if (!spec.Model.Fallbacks.IsEmpty)
            {
                WriteNames(writer, "fallbacks", spec.Model.Fallbacks.Select(fallback => fallback.ToString()));
            }
            WriteNames(writer, "tools", spec.Tools.Select(tool => tool.Name));
            WriteNames(writer, "interrupt_on", spec.InterruptOn.Keys.Order(StringComparer.Ordinal));
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        WriteLimits(writer);
        WriteFaults(writer, warnings);
        writer.WriteEndObject();
    }

    private static void WriteGraph(Utf8JsonWriter writer, Graph graph)
    {
        writer.WriteStartArray("nodes"u8);
        foreach (var node in graph.Nodes)
        {
            writer.WriteStartObject();
            writer.WriteString("name"u8, node.Name);
            writer.WriteString("kind"u8, node.Kind);
            writer.WriteString("join"u8, node.Join == JoinMode.All ? "all"u8 : "any"u8);
            if (node.Body is SubGraphStep inner)
            {
                writer.WriteStartObject("graph"u8);
                WriteGraph(writer, inner.Graph);
                writer.WriteEndObject();
            }
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteStartArray("edges"u8);
        foreach (var edge in graph.Edges)
        {
            writer.WriteStartObject();
            writer.WriteString("from"u8, edge.From);
            WriteNames(writer, "to", edge.Targets);
            if (Label(edge, "{0}") is { Length: > 0 } label)
            {
                writer.WriteString("label"u8, label);
            }
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        WriteNames(
            writer,
            "channels",
            graph
                .Channels.Channels.Where(channel => !channel.Name.StartsWith("__", StringComparison.Ordinal))
                .Select(channel => $"{channel.Name}:{channel.Kind}")
        );
    }

    private void WriteLimits(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("limits"u8);
        writer.WriteNumber("max_supersteps"u8, agent.Limits.MaxSupersteps);
        writer.WriteNumber("max_tool_calls"u8, agent.Limits.MaxToolCalls);
        writer.WriteNumber("max_subagent_depth"u8, agent.Limits.MaxSubagentDepth);
        writer.WriteNumber("max_parallel_tasks"u8, agent.Limits.MaxParallelTasks);
        writer.WriteNumber("max_fan_out"u8, agent.Limits.MaxFanOut);
        writer.WriteNumber("max_tokens"u8, agent.Limits.MaxTokens);
        writer.WriteNumber("max_cost_usd"u8, Math.Min(agent.Limits.MaxCostUsd, double.MaxValue));
        writer.WriteNumber("max_seconds"u8, agent.Limits.MaxSeconds);
        writer.WriteEndObject();
    }

    private static void WriteFaults(Utf8JsonWriter writer, IReadOnlyList<DefinitionFault> faults)
    {
        writer.WriteStartArray("faults"u8);
        foreach (var fault in faults)
        {
            writer.WriteStartObject();
            writer.WriteString("code"u8, fault.Code);
            writer.WriteString("path"u8, fault.Path);
            writer.WriteString("message"u8, fault.Message);
            writer.WriteString("hint"u8, fault.Hint);
            writer.WriteString("severity"u8, fault.IsWarning ? "warning"u8 : "error"u8);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private static void WriteNames(Utf8JsonWriter writer, string property, IEnumerable<string> names)
    {
        writer.WriteStartArray(property);
        foreach (var name in names)
        {
            writer.WriteStringValue(name);
        }
        writer.WriteEndArray();
    }
}
