using AgentExecutor.Core.Skills;

namespace AgentExecutor.Tests.Skills;

public sealed class SkillReaderTests
{
    [Fact]
    public void A_skill_has_the_name_and_the_description_of_its_header()
    {
        var skill = Read(
            "pdf-forms",
            (
                "SKILL.md",
                "---\nname: pdf-forms\ndescription: >\n  Fills in forms.\n  Use it for PDFs.\nmetadata:\n  author: [a, b]\n---\n# Forms\n"
            ),
            ("references/fields.md", "fields")
        );

        Assert.Equal("Fills in forms. Use it for PDFs.", skill.Description);
        Assert.Equal(["SKILL.md", "references/fields.md"], skill.Files.Keys);
        Assert.Equal(["/skills/pdf-forms/SKILL.md", "/skills/pdf-forms/references/fields.md"], Skill.Mount([skill]).Entries.Keys);
    }

    [Theory]
    [InlineData("---\ndescription: d\n---")]
    [InlineData("---\r\ndescription: d\r\n---\r\ntext")]
    [InlineData("\uFEFF---\nname: a\ndescription: \"d\"\nallowed-tools: x y\n---\ntext")]
    public void Common_forms_of_the_header_are_read(string main) => Assert.Equal("d", Read("a", ("SKILL.md", main)).Description);

    [Theory]
    [InlineData("a", "text", "does not begin with a header")]
    [InlineData("a", "---\nname: a", "does not begin with a header")]
    [InlineData("a", "", "does not begin with a header")]
    [InlineData("a", "---\n---\n", "has no description")]
    [InlineData("a", "---\nname: a\n---\n", "has no description")]
    [InlineData("a", "---\nname: b\ndescription: d\n---\n", "is 'b', but the skill is called 'a'")]
    [InlineData("a", "---\n- list\n---\n", "invalid header in line 2")]
    [InlineData("a", "---\nname: a\ndescription: [unclosed\n---\n", "invalid header")]
    [InlineData("a", "---\nname: a\ndescription: d\nx: &y 1\nz: *y\n---\n", "aliases are not supported")]
    [InlineData("A", "---\ndescription: d\n---\n", "not a valid name")]
    [InlineData("a--b", "---\ndescription: d\n---\n", "not a valid name")]
    [InlineData("../a", "---\ndescription: d\n---\n", "not a valid name")]
    public void An_invalid_skill_is_rejected_with_the_reason(string name, string main, string reason)
    {
        Assert.Null(SkillReader.Read(name, [KeyValuePair.Create("SKILL.md", main)], out var fault));
        Assert.Contains(reason, fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Values_that_are_nested_too_deeply_and_long_texts_are_rejected()
    {
        var deep = $"---\ndescription: d\nx: {new string('[', 5_000)}{new string(']', 5_000)}\n---\n";
        var longText = $"---\ndescription: {new string('d', 1_025)}\n---\n";
        var longHeader = $"---\ndescription: d\nx: {new string('y', 20_000)}\n---\n";

        Assert.Contains("nested too deeply", FaultOf(deep), StringComparison.Ordinal);
        Assert.Contains("longer than 1024 characters", FaultOf(longText), StringComparison.Ordinal);
        Assert.Contains("more than 16384 characters", FaultOf(longHeader), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../x")]
    [InlineData("a/../../x")]
    [InlineData("a\nb")]
    public void A_path_cannot_leave_the_folder(string path)
    {
        var files = new[] { KeyValuePair.Create("SKILL.md", "---\ndescription: d\n---"), KeyValuePair.Create(path, "x") };

        Assert.Null(SkillReader.Read("a", files, out var fault));
        Assert.Contains("the path", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_the_main_file_is_not_a_skill()
    {
        Assert.Null(SkillReader.Read("a", [KeyValuePair.Create("readme.md", "x")], out var fault));
        Assert.Equal("it has no file SKILL.md", fault);
    }

    private static string FaultOf(string main)
    {
        Assert.Null(SkillReader.Read("a", [KeyValuePair.Create("SKILL.md", main)], out var fault));
        return fault;
    }

    private static Skill Read(string name, params (string Path, string Text)[] files)
    {
        var skill = SkillReader.Read(name, files.Select(file => KeyValuePair.Create(file.Path, file.Text)), out var fault);
        Assert.True(skill is not null, fault);
        return skill;
    }
}
