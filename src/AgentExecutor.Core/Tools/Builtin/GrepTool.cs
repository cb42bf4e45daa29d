using System.Globalization;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Files;

namespace AgentExecutor.Core.Tools.Builtin;

/// <summary><c>grep</c>: where a literal text stands in the files.</summary>
internal sealed class GrepTool : Tool
{
    private const int MaxCharacters = 60_000;

    public override string Name => "grep";

    public override string Description =>
        """
        Searches the files for a literal text (no regular expression). output_mode files_with_matches (the default) lists paths, content the matching
        lines as path:line:text, count the number of matching lines a file. Narrow it with path (a file or directory) and glob.
        """;

    public override bool PagesItself => true;

    public override JsonElement Parameters { get; } = ToolArguments.Schema(
        """
        {"type": "object", "required": ["pattern"], "properties": {
          "pattern": {"type": "string", "minLength": 1, "description": "The text to find, taken literally"},
          "path": {"type": "string", "description": "A file or directory; / by default"},
          "glob": {"type": "string", "description": "Only files that match this pattern, such as *.log"},
          "output_mode": {"type": "string", "enum": ["files_with_matches", "content", "count"]}}}
        """);

    public override ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
    {
        if (!FilePath.TryNormalize(arguments.Text("path", "/"), out var root, out var fault))
        {
            return ValueTask.FromResult(ToolResult.Error($"Error: {fault}."));
        }
        if (GlobPattern.TryCompile(arguments.Text("glob", "**")) is not { } glob)
        {
            return ValueTask.FromResult(ToolResult.Error("Error: the glob is too long."));
        }
        var below = root == "/" ? "/" : root + "/";
        var files = context.Node.Files.Entries.Where(entry =>
            (entry.Key == root || entry.Key.StartsWith(below, StringComparison.Ordinal)) && glob.IsMatch(entry.Key));
        return ValueTask.FromResult(Search(files, arguments.Text("pattern"), arguments.Text("output_mode", "files_with_matches"), cancellationToken));
    }

    private static ToolResult Search(
        IEnumerable<KeyValuePair<string, VirtualFile>> files, string pattern, string mode, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        foreach (var (path, file) in files)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var count = Lines(file.Content, pattern, mode == "content" ? (number, line) => Append(text, path, number, line) : null);
            if (count > 0 && mode != "content")
            {
                text.Append(mode == "count" ? string.Create(CultureInfo.InvariantCulture, $"{path}:{count}\n") : $"{path}\n");
            }
            if (text.Length > MaxCharacters)
            {
                return $"{text}(there are more matches: narrow the search with path or glob)";
            }
        }
        return text.Length == 0 ? "No matches found." : text.ToString().TrimEnd('\n');
    }

    private static int Lines(string content, string pattern, Action<int, string>? onMatch)
    {
        var (count, number) = (0, 0);
        foreach (var line in content.AsSpan().EnumerateLines())
        {
            number++;
            if (line.Contains(pattern, StringComparison.Ordinal))
            {
                count++;
                onMatch?.Invoke(number, line.Length > FileLines.LongestLine ? line[..FileLines.LongestLine].ToString() : line.ToString());
            }
        }
        return count;
    }

    private static void Append(StringBuilder text, string path, int number, string line)
    {
        if (text.Length <= MaxCharacters)
        {
            text.Append(CultureInfo.InvariantCulture, $"{path}:{number}:{line}\n");
        }
    }
}
