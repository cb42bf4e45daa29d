using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Tools.Builtin;

/// <summary>The tool <c>write_file</c>: creates a new file.</summary>
internal sealed class WriteFileTool : Tool
{
    /// <summary>The maximum number of characters of a file.</summary>
    public const int MaxLength = 10_000_000;

    public override string Name => "write_file";

    public override string Description => "Writes a new file. An existing file is not overwritten: change it with edit_file.";

    public override JsonElement Parameters { get; } =
        ToolArguments.Schema(
            """
            {"type": "object", "required": ["file_path", "content"], "properties": {
              "file_path": {"type": "string", "description": "An absolute path, such as /report.md"},
              "content": {"type": "string"}}}
            """
        );

    public override string? Changes(JsonElement arguments) => arguments.TextProperty("file_path");

    public override ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
    {
        var content = arguments.Text("content");
        var result =
            !FilePath.TryNormalize(arguments.Text("file_path"), out var path, out var fault) ? ToolResult.Error($"Error: {fault}.")
            : context.Node.Scope.IsReadOnly(path) ? ToolResult.Error($"Error: '{path}' is in a read-only folder. Write to another path.")
            : context.Node.Files.Obstacle(path) is { } obstacle ? ToolResult.Error($"Error: {obstacle}.")
            : context.Node.Files[path] is not null
                ? ToolResult.Error($"Error: '{path}' already exists. Read it and change it with edit_file, or write to another path.")
            : content.Length > MaxLength ? ToolResult.Error($"Error: a file can hold at most {MaxLength} characters.")
            : $"Wrote {path} ({content.Length} characters).";
        if (!result.IsError)
        {
            context.Node.Write(
                FilesChannel.DefaultName,
                FileUpdate.Put(path!, new VirtualFile(content, context.Node.Now, context.Node.Now))
            );
        }
        return ValueTask.FromResult(result);
    }
}
