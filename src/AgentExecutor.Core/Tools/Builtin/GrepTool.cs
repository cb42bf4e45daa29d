using System.Globalization;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Tools.Builtin;

/// <summary>The tool <c>grep</c>: searches the files for a literal text.</summary>
internal sealed class GrepTool : Tool
{
    private const int MaxCharacters = 60_000;

    /// <summary>The number of characters shown before and after a match in a long line.</summary>
    private const int ContextLength = 200;

    /// <summary>The maximum number of matches shown per long line.</summary>
    private const int MaxMatchesPerLine = 20;

    public override string Name => "grep";

    public override string Description =>
        """
            Searches the files for a literal text (not a regular expression). output_mode files_with_matches (the default) lists paths,
            content lists the matching lines as path:line:text, and count gives the number of matching lines per file. For a long line it
            shows the text around each match and its position, which read_file accepts as character. Narrow the search with path (a file or
            directory) and glob.
            """;

    public override bool LimitsItsResults => true;

    public override JsonElement Parameters { get; } =
        ToolArguments.Schema(
            """
            {"type": "object", "required": ["pattern"], "properties": {
              "pattern": {"type": "string", "minLength": 1, "description": "The text to find, taken literally"},
              "path": {"type": "string", "description": "A file or directory; / by default"},
              "glob": {"type": "string", "description": "Only files that match this pattern, such as *.log"},
              "output_mode": {"type": "string", "enum": ["files_with_matches", "content", "count"]}}}
            """
        );

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
            (entry.Key == root || entry.Key.StartsWith(below, StringComparison.Ordinal)) && glob.IsMatch(entry.Key)
        );
        return ValueTask.FromResult(
            Search(files, arguments.Text("pattern"), arguments.Text("output_mode", "files_with_matches"), cancellationToken)
        );
    }

    private static ToolResult Search(
        IEnumerable<KeyValuePair<string, VirtualFile>> files,
        string pattern,
        string mode,
        CancellationToken cancellationToken
    )
    {
        var text = new StringBuilder();
        foreach (var (path, file) in files)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var count = Lines(file.Content, pattern, mode == "content" ? path : null, text);
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

    /// <summary>Returns the number of matching lines. If <paramref name="shownAs"/> is given, the lines are appended to the text.</summary>
    private static int Lines(string content, string pattern, string? shownAs, StringBuilder text)
    {
        var (count, number) = (0, 0);
        foreach (var line in content.AsSpan().EnumerateLines())
        {
            number++;
            var at = line.IndexOf(pattern, StringComparison.Ordinal);
            if (at < 0)
            {
                continue;
            }
            count++;
            if (shownAs is not null && text.Length <= MaxCharacters)
            {
                if (line.Length <= FileLines.MaxLineLength)
                {
                    text.Append(CultureInfo.InvariantCulture, $"{shownAs}:{number}:{line}\n");
                }
                else
                {
                    AppendMatches(text, $"{shownAs}:{number}", line, pattern, at);
                }
            }
        }
        return count;
    }

    /// <summary>Appends the surroundings of the matches in a long line.</summary>
    private static void AppendMatches(StringBuilder text, string location, ReadOnlySpan<char> line, string pattern, int at)
    {
        for (var shown = 0; at >= 0; shown++)
        {
            if (shown == MaxMatchesPerLine)
            {
                text.Append(CultureInfo.InvariantCulture, $"{location}: (more matches follow from character {at} on)\n");
                return;
            }
            var from = WellFormedText.StartOf(line, Math.Max(0, at - ContextLength));
            var part = WellFormedText.Start(line[from..], Math.Min(at - from + pattern.Length + ContextLength, FileLines.MaxLineLength));
            var (start, end) = (from > 0 ? "..." : "", from + part.Length < line.Length ? "..." : "");
            text.Append(CultureInfo.InvariantCulture, $"{location}:(character {from}) {start}{part}{end}\n");
            var next = Math.Max(at + 1, from + part.Length);
            var found = line[next..].IndexOf(pattern, StringComparison.Ordinal);
            at = found < 0 ? -1 : next + found;
        }
    }
}
