using System.Text;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Skills;

namespace AgentExecutor.Core.Agents;

/// <summary>Assembles an agent's system prompt: the author's text, followed by instructions for the built-in tools.</summary>
internal static class SystemPrompt
{
    private const string Planning = """
        ## Planning with write_todos
        For work of three or more steps, write a plan with write_todos before you begin, and keep it up to date: exactly one item is
        in_progress, each item is marked completed as soon as it is done, and new items are added when you discover them. Skip it for simple
        requests. Do not call it twice in one turn.
        """;

    private const string Files = """
        ## Files: ls, read_file, write_file, edit_file, glob, grep
        You have a file system of your own. All paths are absolute. Find files with ls, glob and grep (which searches for a literal text),
        read long files page by page, and read a file before you edit it. write_file creates new files; edit_file changes existing ones.
        Write long results to files and name the files in your answer instead of repeating their content.
        """;

    private const string Delegation = """
        ## Delegating with task
        Delegate a task to a sub-agent if it can be described completely and done independently, especially if it needs many steps whose
        details you do not need to see. Start independent tasks in one turn, so that they run in parallel. The sub-agent sees the files but
        not this conversation. The user does not see its answer, so report the important parts of it.
        """;

    private const string Skills = """
        ## Skills
        A skill is a set of instructions for one kind of work. If the task matches the description of a skill, read its file before you
        begin, and follow it. Other files that it mentions are in the same folder. The folder /skills is read-only.
        """;

    private const string Answer = """
        ## Your final answer
        When you are done, answer only with JSON that matches this JSON Schema, without a code fence or any other text:
        """;

    public static string Of(AgentSpec spec)
    {
        var prompt = new StringBuilder(spec.SystemPrompt.Trim());
        foreach (var part in (string[])(spec.Subagents.IsEmpty ? [Planning, Files] : [Planning, Files, Delegation]))
        {
            prompt.Append(prompt.Length > 0 ? "\n\n" : "").Append(part);
        }
        if (!spec.Skills.IsEmpty)
        {
            prompt.Append("\n\n").Append(Skills);
            foreach (var skill in spec.Skills)
            {
                prompt.Append($"\n- {skill.Name}: {skill.Description.ReplaceLineEndings(" ")} ({skill.Folder}/{Skill.MainFile})");
            }
        }
        if (spec.Output is { } format)
        {
            prompt.Append("\n\n").Append(Answer).Append('\n').Append(JsonBytes.Compact(format.Schema));
        }
        return prompt.ToString();
    }
}
