using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Core.Channels;
using FsCheck;
using FsCheck.Fluent;

namespace AgentExecutor.Tests.Channels;

public sealed class ChannelTests
{
    [Theory]
    [InlineData("last_value", "1", "[2]", "2")]
    [InlineData("append", "[1]", "[[2,3],4]", "[1,2,3,4]")]
    [InlineData("append", null, "[\"a\"]", "[\"a\"]")]
    [InlineData("merge", """{"a":1,"b":2}""", """[{"b":3},{"c":4,"a":null}]""", """{"b":3,"c":4}""")]
    [InlineData("sum", "1.1", "[2.2, 3]", "6.3")]
    [InlineData("sum", null, "[1e30]", "1E+30")]
    [InlineData("set", "[1,2]", "[2,[3,1],{\"x\":1}]", """[1,2,3,{"x":1}]""")]
    [InlineData("topic", "[1]", "[2,[3]]", "[2,3]")]
    [InlineData("barrier", """["a"]""", """["b","a"]""", """["a","b"]""")]
    [InlineData("barrier", """["a","b"]""", """["c",""]""", """["c"]""")]
    [InlineData(
        "messages",
        """[{"type":"human","content":"hi","id":"1"}]""",
        """[[{"role":"assistant","content":"ho","id":"2"}],{"type":"human","content":"HI","id":"1"}]""",
        """[{"type":"human","content":"HI","id":"1"},{"type":"ai","content":"ho","id":"2"}]"""
    )]
    [InlineData(
        "messages",
        """[{"type":"human","content":"hi","id":"1"},{"type":"ai","content":"ho","id":"2"}]""",
        """[{"type":"remove","id":"1"}]""",
        """[{"type":"ai","content":"ho","id":"2"}]"""
    )]
    [InlineData(
        "messages",
        """[{"type":"human","content":"hi","id":"1"}]""",
        """[[{"type":"remove","id":"__remove_all__"},{"role":"user","content":"new","id":"3"}]]""",
        """[{"type":"human","content":"new","id":"3"}]"""
    )]
    public void A_reducer_folds_updates_into_the_value(string kind, string? value, string updates, string expected)
    {
        var channel = ChannelKinds.Create(kind, "x")!;
        var start = value is null ? null : channel.ReadValue(Engine.Json(value));

        var folded = channel.Reduce(start, [.. Engine.Json(updates).EnumerateArray().Select(update => channel.ReadUpdate(update, "id"))]);

        Assert.Equal(expected, Encoding.UTF8.GetString(channel.EncodeValue(folded!)));
    }

    [Fact]
    public void Files_are_written_and_deleted_by_path()
    {
        var channel = new FilesChannel();
        var value = channel.Reduce(
            null,
            [channel.ReadUpdate(Engine.Json("""{"a.md": "A", "/b.md": {"content": ["line 1", "line 2"]}}"""), "")]
        );
        value = channel.Reduce(value, [channel.ReadUpdate(Engine.Json("""{"/a.md": null}"""), "")]);

        Assert.Equal(["/b.md: line 1\nline 2"], ((Core.Files.FileTree)value!).Entries.Select(it => $"{it.Key}: {it.Value.Content}"));
    }

    [Theory]
    [InlineData("merge", "[1]")]
    [InlineData("sum", "\"7\"")]
    [InlineData("barrier", "7")]
    [InlineData("files", "[]")]
    [InlineData("files", """{"/x": 7}""")]
    [InlineData("files", """{"/../x": "y"}""")]
    [InlineData("messages", "7")]
    [InlineData("messages", """[{"content": "no role"}]""")]
    [InlineData("messages", """[{"role": "user", "content": 7}]""")]
    public void An_invalid_update_is_rejected_with_the_expected_type(string kind, string update)
    {
        var fault = Assert.Throws<FaultException>(() => ChannelKinds.Create(kind, "x")!.ReadUpdate(Engine.Json(update), "id"));

        Assert.Equal(FaultCodes.InvalidUpdate, fault.Code);
    }

    [Theory]
    [InlineData("append")]
    [InlineData("messages")]
    public void A_delta_reducer_produces_the_same_value_for_one_batch_and_for_two(string kind)
    {
        var channel = ChannelKinds.Create(kind, "x")!;
        Check.QuickThrowOnFailure(
            Prop.ForAll(
                ArbMap.Default.ArbFor<(NonNegativeInt[] Ids, int Split)>(),
                it =>
                {
                    var updates = it
                        .Ids.Select(
                            (id, index) =>
                                channel.ReadUpdate(
                                    Engine.Json(
                                        id.Get % 7 == 0
                                            ? $$"""{"type":"remove","id":"{{id.Get % 5}}"}"""
                                            : $$"""{"role":"user","content":"{{index}}","id":"{{id.Get % 5}}"}"""
                                    ),
                                    "id"
                                )
                        )
                        .ToArray();
                    var split = updates.Length == 0 ? 0 : Math.Abs(it.Split % updates.Length);
                    var once = channel.Reduce(null, updates);
                    var twice = channel.Reduce(channel.Reduce(null, updates[..split]), updates[split..]);
                    return channel.EncodeValue(once!).AsSpan().SequenceEqual(channel.EncodeValue(twice!));
                }
            )
        );
    }

    [Fact]
    public void Stored_values_and_updates_are_read_back_unchanged()
    {
        foreach (var kind in ChannelKinds.All)
        {
            var channel = ChannelKinds.Create(kind, "x")!;
            var json = Engine.Json(
                kind switch
                {
                    "messages" => """
                    [{"type":"ai","content":"","id":"1","tool_calls":[{"name":"f","args":{"a":[1]},"id":"c","type":"tool_call"}],
                     "usage_metadata":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}]
                    """,
                    "files" => """
                    {"/a":{"content":"é","encoding":"utf-8",
                     "created_at":"2026-03-11T09:30:00+00:00","modified_at":"2026-03-11T09:30:00+00:00"}}
                    """,
                    "merge" => """{"a":1}""",
                    "sum" => "3",
                    _ => """["a"]""",
                }
            );
            var value = channel.ReadValue(json);
            Assert.Equal(
                Text(channel.EncodeValue(value)),
                Text(channel.EncodeValue(channel.ReadValue(Engine.Json(Text(channel.EncodeValue(value))))))
            );
            var update = channel.ReadUpdate(kind == "barrier" ? Engine.Json("\"a\"") : json, "id");
            Assert.Equal(
                Text(channel.EncodeUpdate(update)),
                Text(channel.EncodeUpdate(channel.ReadUpdate(Engine.Json(Text(channel.EncodeUpdate(update))), "id")))
            );
        }
    }

    private static string Text(byte[] json) => Encoding.UTF8.GetString(json);
}
