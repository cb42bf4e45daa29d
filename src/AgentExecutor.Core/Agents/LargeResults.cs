using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Agents;

/// <summary>Moves an oversized tool result to a file and leaves its beginning and a pointer in the conversation.</summary>
internal static class LargeResults
{
    public const string Directory = "/large_tool_results";

    private const int PreviewLines = 10;
    private const int PreviewCharacters = 1_000;

    public static string Offload(ToolCall call, string content, int longest, NodeContext context)
    {
        if (content.Length <= longest)
        {
            return content;
        }
        var path = $"{Directory}/{FileName(call)}";
        context.Write(AgentState.Files, FileUpdate.Put(path, new VirtualFile(content, context.Now, context.Now)));
        var preview = string.Join('\n', content.Split('\n').Take(PreviewLines));
        preview = preview.Length > PreviewCharacters ? preview[..PreviewCharacters] : preview;
        return $"""
            The result of {call.Name} has {content.Length} characters, too many to show here. It is in the file {path}: read it page by page with
            read_file, or search it with grep. It begins:

            {preview}
            """;
    }

    private static string FileName(ToolCall call) =>
        string.Concat(call.Id.Select(character => char.IsAsciiLetterOrDigit(character) || character is '-' or '_' ? character : '_'));
}
