using System.Text;
using System.Text.Json;

namespace AgentExecutor.Core.Tools.Builtin;

/// <summary>
/// The tool <c>read_file</c>: returns a page of a file with line numbers. A line that is too long for a page can be read in parts.
/// </summary>
internal sealed class ReadFileTool : Tool
{
    private const int DefaultLines = 500;
    private const int MaxCharacters = 60_000;

    /// <summary>The number of characters shown of a long line that is read by itself.</summary>
    private const int LineCharacters = 20_000;

    public override string Name => "read_file";

    public override string Description =>
        """
            Reads a file and numbers its lines. By default it reads the first 500 lines. Read a long file page by page with offset (lines to
            skip) and limit. A long line is cut; read the rest of it with character (characters to skip in the first line). Read a file
            before you edit it.
            """;

    public override bool LimitsItsResults => true;

    public override JsonElement Parameters { get; } =
        ToolArguments.Schema(
            """
            {"type": "object", "required": ["file_path"], "properties": {
              "file_path": {"type": "string", "description": "An absolute path"},
              "offset": {"type": "integer", "minimum": 0, "description": "Lines to skip; 0 by default"},
              "limit": {"type": "integer", "minimum": 1, "description": "Lines to read; 500 by default"},
              "character": {
                "type": "integer", "minimum": 0, "description": "Characters to skip in the first of these lines; 0 by default"}}}
            """
        );

    public override ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken) =>
        ValueTask.FromResult(
            context.TryFind(arguments.Text("file_path"), out var path, out var file, out var fault)
                ? Page(path, file!.Content, arguments.Int("offset", 0), arguments.Int("limit", DefaultLines), arguments.Int("character", 0))
                : fault
        );

    private static ToolResult Page(string path, string content, int offset, int limit, int character)
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
            if (number > (long)offset + limit || text.Length > MaxCharacters)
            {
                return $"{text}(the file continues: read again with offset {number - 1})";
            }
            if (number > offset + 1 || character == 0)
            {
                FileLines.AppendNumbered(text, number, line);
            }
            else if (character < line.Length)
            {
                FileLines.AppendNumbered(text, number, line, character, LineCharacters);
            }
            else
            {
                return ToolResult.Error(
                    $"Error: line {number} of {path} has {line.Length} characters, so none follows character {character}."
                );
            }
        }
        return text.Length == 0 ? ToolResult.Error($"Error: {path} has {number} lines, so none follows offset {offset}.") : text.ToString();
    }
}
