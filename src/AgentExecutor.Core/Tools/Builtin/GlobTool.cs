using System.Text.Json;
using AgentExecutor.Core.Files;

namespace AgentExecutor.Core.Tools.Builtin;

/// <summary>The tool <c>glob</c>: lists the files whose paths match a pattern.</summary>
internal sealed class GlobTool : Tool
{
    public override string Name => "glob";

    public override string Description =>
        "Finds files by a glob pattern: * and ? within a name, ** across directories, {a,b} for alternatives; for example **/*.md or "
        + "/src/*.cs.";

    public override bool LimitsItsResults => true;

    public override JsonElement Parameters { get; } =
        ToolArguments.Schema(
            """
            {"type": "object", "required": ["pattern"], "properties": {
              "pattern": {"type": "string"},
              "path": {"type": "string", "description": "The directory to search in; / by default"}}}
            """
        );

    public override ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
    {
        if (!FilePath.TryNormalize(arguments.Text("path", "/"), out var root, out var fault))
        {
            return ValueTask.FromResult(ToolResult.Error($"Error: {fault}."));
        }
        if (GlobPattern.TryCompile(arguments.Text("pattern"), root) is not { } pattern)
        {
            return ValueTask.FromResult(ToolResult.Error("Error: the pattern is too long."));
        }
        var found = context.Node.Files.Entries.Keys.Where(path => pattern.IsMatch(path)).ToList();
        return ValueTask.FromResult<ToolResult>(found.Count == 0 ? "No file matches." : string.Join('\n', found));
    }
}
