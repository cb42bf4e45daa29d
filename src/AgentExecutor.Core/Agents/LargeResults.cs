using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// Moves an oversized tool result to a file. The conversation keeps the beginning of the result and a reference to the file.
/// </summary>
internal static class LargeResults
{
    public const string Directory = "/large_tool_results";

    private const int PreviewLines = 10;
    private const int PreviewCharacters = 1_000;
    private const int LongestName = 64;

    public static string Offload(ToolCall call, string content, int maxLength, NodeContext context)
    {
        if (content.Length <= maxLength)
        {
            return content;
        }
        var path = $"{Directory}/{FileName(call, context)}";
        context.Write(AgentState.Files, FileUpdate.Put(path, new VirtualFile(content, context.Now, context.Now)));
        var preview = string.Join('\n', content.Split('\n', PreviewLines + 1).Take(PreviewLines));
        return $"""
            The result of {call.Name} has {content.Length} characters, which is too long to show here. It is in the file {path}:
            read it page by page with read_file (offset skips lines, character skips characters of a long line), or search it with grep.
            It begins:

            {WellFormedText.Start(preview, PreviewCharacters)}
            """;
    }

    /// <summary>
    /// Derives the file name from the tool and the path of the task. The id of the call is not used, because models choose it: it may be
    /// long, contain any character, and be the same in two sub-agents.
    /// </summary>
    private static string FileName(ToolCall call, NodeContext context)
    {
        var tool = string.Concat(call.Name.Take(LongestName).Select(it => char.IsAsciiLetterOrDigit(it) || it is '-' or '_' ? it : '_'));
        return $"{tool}-{context.TaskPath}";
    }
}
