using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// <c>task</c>: runs a sub-agent in a namespace of its own, with a fresh conversation. It sees the caller's files; what it changes is
/// merged back with its answer, and nothing else of it comes back.
/// </summary>
internal sealed class TaskTool : Tool
{
    public const string ToolName = "task";

    private readonly FrozenDictionary<string, Graph> _graphs;

    public TaskTool(ImmutableArray<AgentSpec> subagents, ModelCatalog models)
    {
        _graphs = subagents.ToFrozenDictionary(agent => agent.Name, agent => AgentGraph.Build(agent, models, []), StringComparer.Ordinal);
        Description =
            $"""
            Hands a task to a sub-agent that works on it alone, with a fresh context, and answers once. It knows nothing of this conversation: put all that it
            needs into the description, and say what to answer with. It sees the files, and its files come back. Call it several times in one turn to have
            independent tasks done in parallel. Sub-agents:
            {string.Join('\n', subagents.Select(agent => $"- {agent.Name}: {agent.Description}"))}
            """;
        Parameters = JsonBytes.Element(subagents, WriteSchema);
    }

    public override string Name => ToolName;

    public override string Description { get; }

    public override JsonElement Parameters { get; }

    public override async ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
    {
        var graph = _graphs[arguments.Text("subagent_type")]; // the schema allows only these
        var request = Message.Human($"task-{context.Node.TaskId}", arguments.Text("description"));
        var state = await context.Node.RunSubgraphAsync(
            graph, [KeyValuePair.Create(AgentState.Messages, (object)MessageUpdate.Append(request))], cancellationToken);
        if (state[AgentState.StructuredResponse] is JsonElement structured)
        {
            return JsonBytes.Compact(structured);
        }
        return state.Get<MessageLog>(AgentState.Messages)?.LastOf(MessageType.Ai)?.Text ?? "";
    }

    private static void WriteSchema(Utf8JsonWriter writer, ImmutableArray<AgentSpec> subagents)
    {
        writer.WriteStartObject();
        writer.WriteString("type"u8, "object"u8);
        writer.WriteStartArray("required"u8);
        writer.WriteStringValue("description"u8);
        writer.WriteStringValue("subagent_type"u8);
        writer.WriteEndArray();
        writer.WriteStartObject("properties"u8);
        writer.WriteStartObject("description"u8);
        writer.WriteString("type"u8, "string"u8);
        writer.WriteNumber("minLength"u8, 1);
        writer.WriteEndObject();
        writer.WriteStartObject("subagent_type"u8);
        writer.WriteString("type"u8, "string"u8);
        writer.WriteStartArray("enum"u8);
        foreach (var agent in subagents)
        {
            writer.WriteStringValue(agent.Name);
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.WriteEndObject();
    }
}
