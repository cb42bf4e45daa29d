using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Tools.Builtin;

/// <summary>
/// The tool <c>edit_file</c>: replaces an exact text, which must occur in the file once, or all its occurrences on request.
/// </summary>
internal sealed class EditFileTool : Tool
{
    public override string Name => "edit_file";

    public override string Description =>
        """
            Replaces a text in a file. old_string must match the file exactly, including white space and without the line numbers of
            read_file, and must occur in it only once: give enough context, or set replace_all to replace every occurrence.
            """;

    public override JsonElement Parameters { get; } =
        ToolArguments.Schema(
            """
            {"type": "object", "required": ["file_path", "old_string", "new_string"], "properties": {
              "file_path": {"type": "string", "description": "An absolute path"},
              "old_string": {"type": "string", "minLength": 1},
              "new_string": {"type": "string"},
              "replace_all": {"type": "boolean", "description": "Replace every occurrence; false by default"}}}
            """
        );

    public override string? Changes(JsonElement arguments) => arguments.TextProperty("file_path");

    public override ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
    {
        if (!context.TryFind(arguments.Text("file_path"), out var path, out var file, out var fault))
        {
            return ValueTask.FromResult(fault);
        }
        var (oldText, newText) = (arguments.Text("old_string"), arguments.Text("new_string"));
        var count = Count(file!.Content, oldText);
        var result =
            context.Node.Scope.IsReadOnly(path) ? ToolResult.Error($"Error: '{path}' is read-only. Write a changed copy to another path.")
            : oldText == newText ? ToolResult.Error("Error: old_string and new_string are the same.")
            : count == 0 ? ToolResult.Error($"Error: old_string does not occur in '{path}'. Read the file and copy the text exactly.")
            : count > 1 && !arguments.Flag("replace_all")
                ? ToolResult.Error(
                    $"Error: old_string occurs {count} times in '{path}'. Give more context so that it is unique, or set replace_all."
                )
            : file.Content.Length + (long)count * (newText.Length - oldText.Length) > WriteFileTool.MaxLength
                ? ToolResult.Error($"Error: a file can hold at most {WriteFileTool.MaxLength} characters, but '{path}' would have more.")
            : $"Replaced {count} occurrence{(count == 1 ? "" : "s")} in {path}.";
        if (!result.IsError)
        {
            var content = file.Content.Replace(oldText, newText, StringComparison.Ordinal);
            context.Node.Write(
                FilesChannel.DefaultName,
                FileUpdate.Put(path, file with { Content = content, ModifiedAt = context.Node.Now })
            );
        }
        return ValueTask.FromResult(result);
    }

    private static int Count(string content, string text)
    {
        var count = 0;
        var at = content.IndexOf(text, StringComparison.Ordinal);
        while (at >= 0)
        {
            count++;
            at = content.IndexOf(text, at + text.Length, StringComparison.Ordinal);
        }
        return count;
    }
}
