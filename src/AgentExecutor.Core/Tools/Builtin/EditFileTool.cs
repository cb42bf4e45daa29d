using System.Text.Json;
using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Tools.Builtin;

/// <summary><c>edit_file</c>: replaces an exact text, which must stand in the file once, or everywhere on request.</summary>
internal sealed class EditFileTool : Tool
{
    public override string Name => "edit_file";

    public override string Description =>
        """
        Replaces a text in a file. old_string must match the file exactly, white space included and without the line numbers of read_file, and must
        stand there just once: give enough context, or set replace_all to replace every occurrence.
        """;

    public override JsonElement Parameters { get; } = ToolArguments.Schema(
        """
        {"type": "object", "required": ["file_path", "old_string", "new_string"], "properties": {
          "file_path": {"type": "string", "description": "An absolute path"},
          "old_string": {"type": "string", "minLength": 1},
          "new_string": {"type": "string"},
          "replace_all": {"type": "boolean", "description": "Replace every occurrence; false by default"}}}
        """);

    public override string? Changes(JsonElement arguments) => arguments.TextProperty("file_path");

    public override ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
    {
        if (!context.TryFind(arguments.Text("file_path"), out var path, out var file, out var fault))
        {
            return ValueTask.FromResult(fault);
        }
        var (before, after) = (arguments.Text("old_string"), arguments.Text("new_string"));
        var count = Count(file!.Content, before);
        var result = before == after ? ToolResult.Error("Error: old_string and new_string are the same.")
            : count == 0 ? ToolResult.Error($"Error: old_string does not stand in '{path}'. Read the file and copy the text exactly.")
            : count > 1 && !arguments.Flag("replace_all")
                ? ToolResult.Error($"Error: old_string stands {count} times in '{path}'. Give more context so that it is unique, or set replace_all.")
            : $"Replaced {count} occurrence{(count == 1 ? "" : "s")} in {path}.";
        if (!result.IsError)
        {
            var content = file.Content.Replace(before, after, StringComparison.Ordinal);
            context.Node.Write(FilesChannel.DefaultName, FileUpdate.Put(path, file with { Content = content, ModifiedAt = context.Node.Now }));
        }
        return ValueTask.FromResult(result);
    }

    private static int Count(string content, string text)
    {
        var count = 0;
        for (var at = content.IndexOf(text, StringComparison.Ordinal); at >= 0; at = content.IndexOf(text, at + text.Length, StringComparison.Ordinal))
        {
            count++;
        }
        return count;
    }
}
