using System.Text;
using System.Text.RegularExpressions;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Messages;
using AgentExecutor.Tests.Agents;

namespace AgentExecutor.Tests.Tools.Builtin;

/// <summary>A file with one very long line can be read, searched and changed like any other.</summary>
public sealed class LongLineTests
{
    private static readonly string Line = string.Concat(Enumerable.Range(0, 12_000).Select(i => $"item-{i:D5} 📦;"));

    [Fact]
    public async Task A_line_is_read_to_its_end_by_following_the_hints()
    {
        var read = new StringBuilder();
        for (var (arguments, pages) = ("", 0); ; pages++)
        {
            Assert.InRange(pages, 0, 40);
            var page = await CallAsync("read_file", $$"""{"file_path": "/f"{{arguments}} }""");
            var shown = Regex.Match(
                page,
                @"^ +1\t(?<text>.*?)(?:\.\.\. \((?:\d+) more characters: "
                    + @"continue with offset (?<offset>\d+) and character (?<character>\d+)\))?\n",
                RegexOptions.Singleline
            );
            Assert.True(shown.Success, page);
            read.Append(shown.Groups["text"].ValueSpan);
            if (!shown.Groups["character"].Success)
            {
                break;
            }
            arguments = $$""", "offset": {{shown.Groups["offset"].Value}}, "character": {{shown.Groups["character"].Value}} """;
        }

        Assert.Equal(Line, read.ToString());
    }

    [Fact]
    public async Task A_position_inside_a_surrogate_pair_starts_with_the_whole_character()
    {
        var inside = Line.IndexOf('\udce6', StringComparison.Ordinal);

        Assert.StartsWith(
            "     1\t📦;",
            await CallAsync("read_file", $$"""{"file_path": "/f", "character": {{inside}} }"""),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_position_beyond_the_line_is_an_error_with_its_length() =>
        Assert.Contains(
            $"line 1 of /f has {Line.Length} characters",
            await CallAsync("read_file", """{"file_path": "/f", "character": 99999999}"""),
            StringComparison.Ordinal
        );

    [Fact]
    public async Task A_search_shows_the_text_around_each_match_and_its_position()
    {
        var found = await CallAsync("grep", """{"pattern": "item-07777", "output_mode": "content"}""");

        var match = Regex.Match(found, @"^/f:1:\(character (?<at>\d+)\) \.\.\.(?<text>.*)\.\.\.$");
        Assert.True(match.Success, found);
        Assert.Contains("item-07777 📦;", match.Groups["text"].Value, StringComparison.Ordinal);
        Assert.Equal(
            Line.Substring(int.Parse(match.Groups["at"].ValueSpan, null), match.Groups["text"].Length),
            match.Groups["text"].Value
        );
    }

    [Fact]
    public async Task A_search_with_many_matches_in_a_line_is_limited_and_says_where_more_follow()
    {
        var found = await CallAsync("grep", """{"pattern": "item-", "output_mode": "content"}""");

        Assert.InRange(found.Length, 1, 60_000);
        Assert.Contains("more matches follow from character", found, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_text_in_a_line_is_replaced() =>
        Assert.Equal(
            "Replaced 1 occurrence in /f.",
            await CallAsync("edit_file", """{"file_path": "/f", "old_string": "item-11999", "new_string": "last"}""")
        );

    [Fact]
    public async Task An_edit_that_would_make_a_file_too_large_is_rejected() =>
        Assert.Contains(
            "a file can hold at most",
            await CallAsync(
                "edit_file",
                $$"""{"file_path": "/f", "old_string": "item", "new_string": "{{new string('x', 2_000)}}", "replace_all": true}"""
            ),
            StringComparison.Ordinal
        );

    private static async Task<string> CallAsync(string tool, string arguments)
    {
        var spec = TestAgents.Scripted("a", $$"""[{"tool_calls": [{"name": "{{tool}}", "args": {{arguments}} }]}, {"text": "done"}]""");
        var outcome = await new Engine().RunAsync(
            AgentGraph.Build(spec, TestAgents.Models, []),
            (AgentState.Messages, MessageUpdate.Append(Message.Human("h", "go"))),
            (AgentState.Files, FileUpdate.Put("/f", new VirtualFile(Line, default, default)))
        );
        return outcome.State.Get<MessageLog>(AgentState.Messages)!.Single(it => it.Type == MessageType.Tool).Text;
    }
}
