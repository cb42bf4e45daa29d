using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// The tool <c>task</c>: runs a sub-agent with a fresh conversation in a namespace of its own. The sub-agent sees the caller's files. Its
/// changes to files and to the channels that both have are merged back together with its answer; the rest of its state is discarded.
/// </summary>
internal sealed class TaskTool : Tool
{
    public const string ToolName = "task";

    private readonly FrozenDictionary<string, (AgentSpec Spec, Graph Graph)> _agents;

    public TaskTool(ImmutableArray<AgentSpec> subagents, ModelCatalog models)
    {
        _agents = subagents.ToFrozenDictionary(
            agent => agent.Name,
            agent => (agent, AgentGraph.Build(agent, models, agent.Channels)),
            StringComparer.Ordinal
        );
        Description = $"""
            Delegates a task to a sub-agent, which works on it independently, with a fresh context, and answers once. It does not see this
            conversation, so the description must contain everything that it needs, and what its answer should contain. It sees your files,
            and you see the files that it writes. Call this tool several times in one turn to have independent tasks done in parallel.
            Sub-agents:
            {string.Join('\n', subagents.Select(agent => $"- {agent.Name}: {agent.Description}"))}
            """;
        Parameters = JsonBytes.Element(subagents, WriteSchema);
    }

    public override string Name => ToolName;

    public override string Description { get; }

    public override JsonElement Parameters { get; }

    public override async ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
    {
        var (spec, graph) = _agents[arguments.Text("subagent_type")]; // the schema allows only existing names
        var request = Message.Human($"task-{context.Node.TaskId}", arguments.Text("description"));
        var state = await context.Node.RunSubgraphAsync(
            graph,
            [
                KeyValuePair.Create(AgentState.Messages, (object)MessageUpdate.Append(request)),
                .. SharedChannels.Input(spec, context.Node.State.State),
            ],
            cancellationToken
        );
        SharedChannels.MergeBack(spec, state, context.Node);
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
