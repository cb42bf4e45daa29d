using System.Text.Json;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Recording;

/// <summary>The tools that a group offers, as JSON: <c>{"tools": [{"name", "description", "parameters", "effects"}]}</c>.</summary>
internal static class ToolListJson
{
    /// <summary>Returns what identifies the request for the list in a recording.</summary>
    public static JsonElement Request(ToolDefinition definition) =>
        JsonBytes.Element(
            definition,
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("tool"u8, it.Name);
                writer.WriteString("runtime"u8, it.RuntimeType);
                writer.WriteBoolean("list"u8, true);
                writer.WriteEndObject();
            }
        );

    /// <param name="tools">The tools; null if they are not known.</param>
    public static JsonElement Write(IReadOnlyList<Tool>? tools) =>
        JsonBytes.Element(
            tools,
            static (writer, it) =>
            {
                writer.WriteStartObject();
                if (it is null)
                {
                    writer.WriteNull("tools"u8);
                    writer.WriteEndObject();
                    return;
                }
                writer.WriteStartArray("tools"u8);
                foreach (var tool in it)
                {
                    writer.WriteStartObject();
                    writer.WriteString("name"u8, tool.Name);
                    writer.WriteString("description"u8, tool.Description);
                    writer.WritePropertyName("parameters"u8);
                    tool.Parameters.WriteTo(writer);
                    writer.WriteString("effects"u8, tool.Effects.ToString().ToLowerInvariant());
                    writer.WriteEndObject();
                }
                writer.WriteEndArray();
                writer.WriteEndObject();
            }
        );

    /// <summary>Reads the tools. Null if they were not known.</summary>
    /// <param name="json">The JSON.</param>
    /// <param name="call">Answers the calls of a tool with this name.</param>
    public static IReadOnlyList<Tool>? Read(JsonElement json, Func<string, JsonElement, CancellationToken, ValueTask<ToolResult>> call) =>
        json.Property("tools") is { ValueKind: JsonValueKind.Array } tools
            ? [.. tools.EnumerateArray().Select(tool => new RecordedTool(tool, call))]
            : null;

    private sealed class RecordedTool(JsonElement json, Func<string, JsonElement, CancellationToken, ValueTask<ToolResult>> call) : Tool
    {
        public override string Name { get; } = json.TextProperty("name") ?? "";

        public override string Description { get; } = json.TextProperty("description") ?? "";

        public override JsonElement Parameters { get; } = json.Property("parameters") ?? StoredJson.Parse("{}"u8);

        public override ToolEffects Effects { get; } =
            json.TextProperty("effects") switch
            {
                "once" => ToolEffects.Once,
                "idempotent" => ToolEffects.Idempotent,
                _ => ToolEffects.None,
            };

        public override ValueTask<ToolResult> InvokeAsync(
            JsonElement arguments,
            ToolContext context,
            CancellationToken cancellationToken
        ) => call(Name, arguments, cancellationToken);
    }
}
