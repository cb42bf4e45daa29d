using AgentExecutor.Core.Agents;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Skills;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Commands;

public sealed class SkillsTests : IDisposable
{
    private readonly AgentExecutorProgram _program = new();

    [Fact]
    public async Task An_agent_reads_a_skill_of_the_operator_and_cannot_change_it()
    {
        WriteSkill("tone", "---\nname: tone\ndescription: How to address customers.\n---\nBe kind.\n");
        var file = _program.WriteFile(
            "agent.json",
            Agent(
                """["tone"]""",
                """
                [{"tool_calls": [{"id": "r", "name": "read_file", "args": {"file_path": "/skills/tone/SKILL.md"}},
                                 {"id": "w", "name": "write_file", "args": {"file_path": "/skills/tone/x.md", "content": "x"}},
                                 {"id": "e", "name": "edit_file",
                                  "args": {"file_path": "/skills/tone/SKILL.md", "old_string": "kind", "new_string": "rude"}},
                                 {"id": "l", "name": "ls", "args": {"path": "/"}}]},
                 {"text": "{{result:r|(Be .*)}}; {{result:w}}; {{result:e}}; {{result:l}}"}]
                """
            )
        );

        var result = await RunAsync("run", file, "--input", "hi", "--out", _program.File("out"));

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("Be kind.; Error: '/skills/tone/x.md' is in a read-only folder", result.Output, StringComparison.Ordinal);
        Assert.Contains("'/skills/tone/SKILL.md' is read-only", result.Output, StringComparison.Ordinal);
        Assert.Contains("/skills/", result.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_program.File("out"), "skills")), "a skill's files are part of the result");
    }

    [Fact]
    public async Task A_sub_agent_reads_the_files_of_its_own_skill()
    {
        WriteSkill("tone", "---\nname: tone\ndescription: How to address customers.\n---\nBe kind.\n");
        var file = _program.WriteFile(
            "agent.json",
            """
            {"nodes": [
              {"id": "lead", "type": "orchestrator", "model": {"provider": "scripted", "model": "l", "script": [
                {"tool_calls": [{"id": "t", "name": "task", "args": {"description": "do", "subagent_type": "helper"}}]},
                {"text": "{{result:t}}"}]}},
              {"id": "helper", "type": "specialist", "description": "d", "skills": ["tone"],
               "model": {"provider": "scripted", "model": "h", "script": [
                {"tool_calls": [{"id": "r", "name": "read_file", "args": {"file_path": "/skills/tone/SKILL.md"}}]},
                {"text": "{{result:r|(Be .*)}}"}]}}]}
            """
        );

        var result = await RunAsync("run", file, "--input", "hi");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("Be kind.", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void The_system_prompt_lists_the_skills_of_the_agent()
    {
        var skill = SkillReader.Read(
            "tone",
            [KeyValuePair.Create("SKILL.md", "---\ndescription: How to\n  greet.\n---\nBe kind.")],
            out _
        )!;
        var spec = new AgentSpec
        {
            Name = "a",
            Model = new ModelSpec { Provider = "scripted", Model = "m" },
        };

        var prompt = SystemPrompt.Of(spec with { Skills = [skill] });

        Assert.EndsWith("\n- tone: How to greet. (/skills/tone/SKILL.md)", prompt, StringComparison.Ordinal);
        Assert.DoesNotContain("Be kind", prompt, StringComparison.Ordinal);
        Assert.DoesNotContain("/skills", SystemPrompt.Of(spec), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_skill_and_a_broken_folder_are_reported_where_a_definition_names_them()
    {
        WriteSkill("tone", "---\ndescription: d\n---\n");
        WriteSkill("broken", "no header");
        var file = _program.WriteFile("agent.json", Agent("""["tine", "broken", "tone"]""", """[{"text": "x"}]"""));

        var result = await RunAsync("run", file, "--input", "hi");

        Assert.Equal(2, result.ExitCode);
        Assert.Contains("there is no skill 'tine'", result.Error, StringComparison.Ordinal);
        Assert.Contains("did you mean 'tone'?", result.Error, StringComparison.Ordinal);
        Assert.Contains(
            "the skill 'broken' of this service is invalid: its SKILL.md does not begin",
            result.Error,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Links_out_of_the_directory_and_files_that_are_not_text_are_left_out()
    {
        WriteSkill("tone", "---\ndescription: d\n---\n");
        File.CreateSymbolicLink(_program.File("skills/tone/link.md"), "/etc/passwd");
        await File.WriteAllBytesAsync(
            _program.File("skills/tone/image.png"),
            [0x89, 0x50, 0xFF, 0x00],
            TestContext.Current.CancellationToken
        );
        var file = _program.WriteFile(
            "agent.json",
            Agent(
                """["tone"]""",
                """[{"tool_calls": [{"id": "l", "name": "ls", "args": {"path": "/skills/tone"}}]}, {"text": "{{result:l}}"}]"""
            )
        );

        var result = await RunAsync("run", file, "--input", "hi");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("/skills/tone/SKILL.md", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("link.md", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("image.png", result.Output, StringComparison.Ordinal);
    }

    public void Dispose() => _program.Dispose();

    private static string Agent(string skills, string script) =>
        $$$"""
            {"nodes": [{"id": "a", "type": "orchestrator", "skills": {{{skills}}},
              "model": {"provider": "scripted", "model": "m", "script": {{{script}}} }}]}
            """;

    private void WriteSkill(string name, string main)
    {
        Directory.CreateDirectory(_program.File($"skills/{name}"));
        _program.WriteFile($"skills/{name}/SKILL.md", main);
    }

    private Task<ProgramResult> RunAsync(params string[] args)
    {
        _program.Variables["AGENT_EXECUTOR_SKILLS_DIR"] = _program.File("skills");
        return _program.RunAsync(args);
    }
}
