using System.Text.Json;
using AgentExecutor.Core.Files;

namespace AgentExecutor.Core.Tools.Builtin;

/// <summary>The tool <c>ls</c>: lists a directory of the virtual file system.</summary>
internal sealed class ListFilesTool : Tool
{
    public override string Name => "ls";

    public override string Description =>
        "Lists the files and directories in a directory: directories with a trailing slash, files with their size in characters.";

    public override bool LimitsItsResults => true;

    public override JsonElement Parameters { get; } =
        ToolArguments.Schema(
            """{"type": "object", "properties": {"path": {"type": "string", "description": "An absolute path; / by default"}}}"""
        );

    public override ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
    {
        if (!FilePath.TryNormalize(arguments.Text("path", "/"), out var path, out var fault))
        {
            return ValueTask.FromResult(ToolResult.Error($"Error: {fault}."));
        }
        var prefix = path == "/" ? "/" : path + "/";
        var lines = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var (name, file) in context.Node.Files.Entries)
        {
            if (name.StartsWith(prefix, StringComparison.Ordinal))
            {
                var slash = name.IndexOf('/', prefix.Length);
                lines.Add(slash < 0 ? $"{name} ({file.Content.Length} characters)" : name[..(slash + 1)]);
            }
        }
        return ValueTask.FromResult<ToolResult>(lines.Count == 0 ? $"{path} is empty." : string.Join('\n', lines));
    }
}
