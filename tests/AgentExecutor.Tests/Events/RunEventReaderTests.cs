using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Server.View;

namespace AgentExecutor.Tests.Events;

public sealed class RunEventReaderTests
{
    private static readonly DateTimeOffset Time = new(2026, 1, 31, 12, 0, 0, 250, TimeSpan.Zero);
    private static readonly ToolCall Call = new("c1", "grep", JsonElement.Parse("""{"pattern":"500","deep":[1,null]}"""));

    private static readonly RunEvent[] Kinds =
    [
        new RunEvent.LlmStream("lead", "m1", "Hello"),
        new RunEvent.LlmStream("lead", "m1", "", "I think", Call) { Namespace = "tools:t1|model:m" },
        new RunEvent.LlmSuperseded("lead", "m1", "the line broke"),
        new RunEvent.ToolStarted("lead", Call),
        new RunEvent.ToolEnded("lead", Call, "three\nlines", IsError: false, TimeSpan.FromMilliseconds(12.5)),
        new RunEvent.ToolEnded("lead", Call, "no", IsError: true, TimeSpan.Zero),
        new RunEvent.StateUpdated(
            "cp",
            4,
            ["model", "tools"],
            [Update("messages", """[{"type":"ai","content":"x","id":"i"}]"""), Update("n", "7")]
        ),
        new RunEvent.Interrupted([
            new InterruptRequest("q:1", JsonElement.Parse("""{"question":"Go on?"}""")),
            new InterruptRequest("q:2", JsonElement.Parse("null")),
        ]),
        new RunEvent.Failed(new RunFailure("node_failed", "it broke", "FaultException", "mend it")),
        new RunEvent.Failed(new RunFailure("internal", "it broke", "Exception")),
        new RunEvent.Ended(RunStatus.Interrupted, new RunUsage(1, 2, 3, new TokenUsage(4, 5, 6, 7), 8.125)),
    ];

    public static TheoryData<int> Each() => [.. Enumerable.Range(0, Kinds.Length)];

    [Theory]
    [MemberData(nameof(Each))]
    public void A_written_event_is_read_back_unchanged(int kind)
    {
        var written = JsonBytes.Write(new EventEnvelope("t", 9, Time, Kinds[kind]), RunEventJson.Write);

        var read = RunEventReader.Read("t", JsonElement.Parse(written))!;

        Assert.Equal(("t", 9L, Time, Kinds[kind].GetType()), (read.ThreadId, read.Sequence, read.Time, read.Event.GetType()));
        Assert.Equal(Encoding.UTF8.GetString(written), JsonBytes.WriteText(read, RunEventJson.Write));
    }

    [Fact]
    public void The_whole_state_of_a_final_update_is_read_as_channels()
    {
        var state = new ChannelState(
            new ChannelSet([new LastValueChannel("a"), new LastValueChannel("b")]),
            [new ChannelSlot(JsonElement.Parse("[1]"), 1, default), default]
        );
        var written = JsonBytes.Write(
            new EventEnvelope("t", 9, Time, new RunEvent.StateUpdated("cp", 4, [], [], state, IsFinal: true)),
            RunEventJson.Write
        );

        var read = Assert.IsType<RunEvent.StateUpdated>(RunEventReader.Read("t", JsonElement.Parse(written))!.Event);

        Assert.True(read is { IsFinal: true, State: null });
        Assert.Equal(
            ("a", "[1]"),
            (Assert.Single(read.Channels).Channel, Encoding.UTF8.GetString(Assert.Single(read.Channels[0].Json).Span))
        );
    }

    [Theory]
    [InlineData("""{"event_type": "on_something_new", "data": {}, "seq": 1}""")]
    [InlineData("""{"event_type": 7}""")]
    [InlineData("{}")]
    [InlineData("[1]")]
    [InlineData("null")]
    public void An_unknown_event_is_null(string json) => Assert.Null(RunEventReader.Read("t", JsonElement.Parse(json)));

    /// <summary>An event can be read and displayed, regardless of the value of each member.</summary>
    [Theory]
    [MemberData(nameof(Each))]
    public void No_event_is_rejected(int kind)
    {
        var written = JsonBytes.WriteText(new EventEnvelope("t", 9, Time, Kinds[kind]), RunEventJson.Write);
        string[] others =
        [
            "null",
            "true",
            "\"x\"",
            "\"\\ud800\"",
            "-1",
            "1e400",
            "99999999999999999999",
            "[]",
            "{}",
            """["\ud800", {"id": 1, "type": 2}]""",
            """{"\ud800": "\ud800"}""",
            "",
        ];
        var view = new PlainView(TextWriter.Null);
        var picture = new RunPicture();

        foreach (var json in others.SelectMany(other => Changed(written, other)))
        {
            if (RunEventReader.Read("t", JsonElement.Parse(json)) is { } read)
            {
                view.Show(read);
                picture.Apply(read);
            }
        }
        Assert.All(picture.Agents.SelectMany(agent => agent.Calls), call => EventText.Of(call.Call));
    }

    [Fact]
    public void Arguments_that_were_too_long_are_undefined_and_displayed_as_truncated()
    {
        var read = RunEventReader.Read(
            "t",
            JsonElement.Parse(
                """
                {"event_type": "on_tool_start", "data": {"agent": "a", "tool_call_id": "c", "name": "write_file", "truncated": true},
                 "seq": 1}
                """
            )
        )!;

        var call = Assert.IsType<RunEvent.ToolStarted>(read.Event).Call;

        Assert.Equal(JsonValueKind.Undefined, call.Arguments.ValueKind);
        Assert.Equal("write_file(…)", EventText.Of(call));
    }

    [Fact]
    public void An_unpaired_surrogate_is_replaced_and_a_pair_is_kept()
    {
        var read = RunEventReader.Read(
            "t",
            JsonElement.Parse(
                """{"event_type": "on_llm_stream", "data": {"content": "\\ud800 \ud83d\ude00 \ud800\ud83d\uDE00 \udc00\n"}, "seq": 1}"""
            )
        )!;

        Assert.Equal("\\ud800 😀 \uFFFD😀 \uFFFD\n", Assert.IsType<RunEvent.LlmStream>(read.Event).Text);
    }

    private static ChannelUpdate Update(string channel, string json) => new(channel, [Encoding.UTF8.GetBytes(json)]);

    /// <summary>Returns copies of the event in each of which one member has another value, or is removed if the text is empty.</summary>
    private static IEnumerable<string> Changed(string json, string other)
    {
        var root = JsonElement.Parse(json);
        var data = root.GetProperty("data");
        foreach (var member in root.EnumerateObject())
        {
            yield return With(root, member.Name, other);
        }
        foreach (var member in data.EnumerateObject())
        {
            yield return With(root, "data", With(data, member.Name, other));
        }
    }

    private static string With(JsonElement json, string name, string other) =>
        "{"
        + string.Join(
            ",",
            json.EnumerateObject()
                .Where(member => member.Name != name || other.Length > 0)
                .Select(member => $"\"{member.Name}\":{(member.Name == name ? other : member.Value.GetRawText())}")
        )
        + "}";
}
