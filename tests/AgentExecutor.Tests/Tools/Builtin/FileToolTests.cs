using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Messages;
using AgentExecutor.Tests.Agents;

namespace AgentExecutor.Tests.Tools.Builtin;

/// <summary>The built-in file tools, called as a model calls them.</summary>
public sealed class FileToolTests
{
    [Theory]
    [InlineData("ls", """{}""", "/a.txt (11 characters)\n/empty (0 characters)\n/src/")]
    [InlineData("ls", """{"path": "/src"}""", "/src/deep/\n/src/main.cs (27 characters)")]
    [InlineData("ls", """{"path": "/none"}""", "/none is empty.")]
    [InlineData("read_file", """{"file_path": "/a.txt"}""", "     1\tone\n     2\ttwo\n     3\tone\n")]
    [InlineData(
        "read_file",
        """{"file_path": "a.txt", "offset": 1, "limit": 1}""",
        "     2\ttwo\n(the file continues: read again with offset 2)"
    )]
    [InlineData("read_file", """{"file_path": "/a.txt", "offset": 9}""", "Error: /a.txt has 3 lines, so none follows offset 9.")]
    [InlineData("read_file", """{"file_path": "/empty"}""", "/empty exists and is empty.")]
    [InlineData("read_file", """{"file_path": "/no"}""", "Error: there is no file '/no'. Use ls or glob to list the files.")]
    [InlineData(
        "write_file",
        """{"file_path": "/a.txt", "content": "x"}""",
        "Error: '/a.txt' already exists. Read it and change it with edit_file, or write to another path."
    )]
    [InlineData("write_file", """{"file_path": "/", "content": "x"}""", "Error: '/' is a directory.")]
    [InlineData(
        "write_file",
        """{"file_path": "/a.txt/below", "content": "x"}""",
        "Error: '/a.txt' is a file and cannot contain other files."
    )]
    [InlineData("write_file", """{"file_path": "/src", "content": "x"}""", "Error: '/src' is a directory.")]
    [InlineData(
        "edit_file",
        """{"file_path": "/a.txt", "old_string": "one", "new_string": "1"}""",
        "Error: old_string occurs 2 times in '/a.txt'. Give more context so that it is unique, or set replace_all."
    )]
    [InlineData(
        "edit_file",
        """{"file_path": "/a.txt", "old_string": "three", "new_string": "3"}""",
        "Error: old_string does not occur in '/a.txt'. Read the file and copy the text exactly."
    )]
    [InlineData(
        "edit_file",
        """{"file_path": "/a.txt", "old_string": "two", "new_string": "two"}""",
        "Error: old_string and new_string are the same."
    )]
    [InlineData(
        "edit_file",
        """{"file_path": "/a.txt", "old_string": "one", "new_string": "1", "replace_all": true}""",
        "Replaced 2 occurrences in /a.txt."
    )]
    [InlineData("glob", """{"pattern": "**/*.cs"}""", "/src/deep/x.cs\n/src/main.cs")]
    [InlineData("glob", """{"pattern": "*.{cs,txt}"}""", "/a.txt\n/src/deep/x.cs\n/src/main.cs")]
    [InlineData("glob", """{"pattern": "/src/*.cs"}""", "/src/main.cs")]
    [InlineData("glob", """{"pattern": "*.cs", "path": "/src/deep"}""", "/src/deep/x.cs")]
    [InlineData("glob", """{"pattern": "*.py"}""", "No file matches.")]
    [InlineData("grep", """{"pattern": "one"}""", "/a.txt")]
    [InlineData("grep", """{"pattern": "one", "output_mode": "count"}""", "/a.txt:2")]
    [InlineData("grep", """{"pattern": "one", "output_mode": "content"}""", "/a.txt:1:one\n/a.txt:3:one")]
    [InlineData("grep", """{"pattern": "a.b(", "output_mode": "content"}""", "/src/main.cs:1:call a.b(c) and not axb(c);")]
    [InlineData("grep", """{"pattern": "call", "glob": "*.txt"}""", "No matches found.")]
    [InlineData("grep", """{"pattern": "deep", "path": "/src/deep/x.cs"}""", "/src/deep/x.cs")]
    public async Task A_call_returns_its_result(string tool, string arguments, string expected)
    {
        var files = new Dictionary<string, string>
        {
            ["/a.txt"] = "one\ntwo\none",
            ["/empty"] = "",
            ["/src/main.cs"] = "call a.b(c) and not axb(c);",
            ["/src/deep/x.cs"] = "deep",
        };
        var spec = TestAgents.Scripted(
            "a",
            $$"""[{"tool_calls": [{"id": "1", "name": "{{tool}}", "args": {{arguments}}}]}, {"text": "done"}]"""
        );

        var outcome = await new Engine().RunAsync(
            AgentGraph.Build(spec, TestAgents.Models, []),
            (AgentState.Messages, MessageUpdate.Append(Message.Human("h", "go"))),
            (AgentState.Files, FileUpdate.Put(files.Select(it => KeyValuePair.Create(it.Key, new VirtualFile(it.Value, default, default)))))
        );

        Assert.Equal(expected, outcome.State.Get<MessageLog>(AgentState.Messages)![2].Text);
    }

    [Theory]
    [InlineData("notes.md", "/notes.md")]
    [InlineData("/a//b/./c", "/a/b/c")]
    [InlineData("/", "/")]
    [InlineData("/a/../b", null)]
    [InlineData("a\\b", null)]
    [InlineData("a\0b", null)]
    public void Paths_are_normalised_or_rejected(string given, string? expected)
    {
        Assert.Equal(expected is not null, FilePath.TryNormalize(given, out var normal, out _));
        Assert.Equal(expected, normal);
    }
}
