using System.Text;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Agents;

/// <summary>Assembles an agent's system prompt: what its author wrote, then how to use the built-in tools.</summary>
internal static class SystemPrompt
{
    private const string Planning =
        """
        ## Planning with write_todos
        For work of three or more steps, write a plan with write_todos before you begin, and keep it true as you go: one item in_progress at a time, each
        marked completed as soon as it is done, new items added when you learn of them. Skip it for simple requests. Do not call it twice in one turn.
        """;

    private const string Files =
        """
        ## Files: ls, read_file, write_file, edit_file, glob, grep
        You have a file system of your own. All paths are absolute. Find files with ls, glob and grep (which searches for a literal text), read long ones
        page by page, and read a file before you edit it. write_file makes new files; edit_file changes those that exist. Put long
        results into files and name them in your answer, rather than repeating them.
        """;

    private const string Delegation =
        """
        ## Delegating with task
        Hand a piece of work to a sub-agent when it can be described fully and done apart from the rest, above all when it needs many steps whose details you do
        not need to see. Start independent pieces in one turn, so that they run in parallel. The sub-agent sees the files but not this conversation. Its
        answer comes to you alone: tell the user what matters of it.
        """;

    private const string Answer =
        """
        ## Your final answer
        When you are done, answer with JSON alone, without a code fence or any other word, that fits this JSON Schema:
        """;

    public static string Of(AgentSpec spec)
    {
        var prompt = new StringBuilder(spec.SystemPrompt.Trim());
        foreach (var part in (string[])(spec.Subagents.IsEmpty ? [Planning, Files] : [Planning, Files, Delegation]))
        {
            prompt.Append(prompt.Length > 0 ? "\n\n" : "").Append(part);
        }
        if (spec.Output is { } format)
        {
            prompt.Append("\n\n").Append(Answer).Append('\n').Append(JsonBytes.Compact(format.Schema));
        }
        return prompt.ToString();
    }
}
