using System.Text;
using System.Text.Json;

namespace AgentExecutor.Core.Tools.Builtin;

/// <summary><c>read_file</c>: a page of a file, with line numbers.</summary>
internal sealed class ReadFileTool : Tool
{
    private const int DefaultLines = 500;
    private const int MaxCharacters = 60_000;

    public override string Name => "read_file";

    public override string Description =>
        """
        Reads a file, each line with its number. Reads 500 lines from the first by default; read a long file page by page with offset (lines to
        skip) and limit. Read a file before you edit it.
        """;

    public override bool PagesItself => true;

    public override JsonElement Parameters { get; } = ToolArguments.Schema(
        """
        {"type": "object", "required": ["file_path"], "properties": {
          "file_path": {"type": "string", "description": "An absolute path"},
          "offset": {"type": "integer", "minimum": 0, "description": "Lines to skip; 0 by default"},
          "limit": {"type": "integer", "minimum": 1, "description": "Lines to read; 500 by default"}}}
        """);

    public override ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken) =>
        ValueTask.FromResult(context.TryFind(arguments.Text("file_path"), out var path, out var file, out var fault)
            ? Page(path, file!.Content, arguments.Int("offset", 0), arguments.Int("limit", DefaultLines))
            : fault);

    private static ToolResult Page(string path, string content, int offset, int limit)
    {
        if (content.Length == 0)
        {
            return $"{path} exists and is empty.";
        }
        var text = new StringBuilder();
        var number = 0;
        foreach (var line in content.AsSpan().TrimEnd('\n').EnumerateLines())
        {
            if (++number <= offset)
            {
                continue;
            }
            if (number > offset + limit || text.Length > MaxCharacters)
            {
                return $"{text}(the file goes on: read again with offset {number - 1})";
            }
            FileLines.AppendNumbered(text, number, line);
        }
        return text.Length == 0 ? ToolResult.Error($"Error: {path} has {number} lines, so none follows offset {offset}.") : text.ToString();
    }
}
