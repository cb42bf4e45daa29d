using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Tools.Builtin;

/// <summary>The tool <c>write_todos</c>: replaces the agent's plan.</summary>
internal sealed class WriteTodosTool : Tool
{
    public const string ToolName = "write_todos";

    public override string Name => ToolName;

    public override string Description =>
        """
            Writes the whole list of todos for the current task, replacing the previous list. Use it for work of three or more steps: write
            the plan first, keep exactly one item in_progress while you work on it, and mark an item completed as soon as it is done. Do not
            use it for trivial requests.
            """;

    public override JsonElement Parameters { get; } =
        ToolArguments.Schema(
            """
            {"type": "object", "required": ["todos"], "properties": {"todos": {"type": "array", "items": {
              "type": "object", "required": ["content", "status"], "properties": {
                "content": {"type": "string", "description": "What must be done"},
                "status": {"type": "string", "enum": ["pending", "in_progress", "completed"]}}}}}}
            """
        );

    public override string? Changes(JsonElement arguments) => AgentState.Todos;

    public override ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
    {
        var todos = arguments.GetProperty("todos");
        context.Node.Write(AgentState.Todos, todos);
        return ValueTask.FromResult<ToolResult>($"The list of todos is now {JsonBytes.Compact(todos)}");
    }
}
