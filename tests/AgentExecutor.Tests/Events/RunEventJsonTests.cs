using System.Text.Json;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Tests.Events;

/// <summary>The events of tool calls, which are the same for subscribers and in the log.</summary>
public sealed class RunEventJsonTests
{
    [Fact]
    public void Arguments_and_output_are_included_up_to_1024_characters()
    {
        var call = Call(new string('x', 1024 - """{"text":""}""".Length));

        var (started, ended) = (Data(new RunEvent.ToolStarted("lead", call)), Data(Ended(call, new string('y', 1024))));

        Assert.Equal(["agent", "tool_call_id", "name", "args"], Names(started));
        Assert.Equal(["agent", "tool_call_id", "name", "args", "output", "status", "duration_ms"], Names(ended));
        Assert.Equal(JsonBytes.Compact(call.Arguments), ended.GetProperty("args").GetRawText());
        Assert.Equal(new string('y', 1024), ended.GetProperty("output").GetString());
    }

    [Fact]
    public void Longer_arguments_are_omitted()
    {
        var call = Call(new string('x', 1025 - """{"text":""}""".Length));

        Assert.Equal(["agent", "tool_call_id", "name", "truncated"], Names(Data(new RunEvent.ToolStarted("lead", call))));
        Assert.Equal(["agent", "tool_call_id", "name", "truncated", "output", "status", "duration_ms"], Names(Data(Ended(call, "short"))));
    }

    [Fact]
    public void A_longer_output_is_cut()
    {
        var ended = Data(Ended(Call("short"), new string('y', 1025)));

        Assert.Equal(["agent", "tool_call_id", "name", "args", "output", "truncated", "status", "duration_ms"], Names(ended));
        Assert.Equal(new string('y', 1024), ended.GetProperty("output").GetString());
        Assert.True(ended.GetProperty("truncated").GetBoolean());
    }

    [Fact]
    public void An_output_is_not_cut_inside_a_surrogate_pair()
    {
        static string? Output(string content) => Data(Ended(Call(""), content)).GetProperty("output").GetString();

        Assert.Equal(new string('y', 1023), Output(new string('y', 1023) + "😀"));
        Assert.Equal(new string('y', 1022) + "😀", Output(new string('y', 1022) + "😀😀"));
    }

    [Fact]
    public void Truncated_arguments_and_output_are_reported_once()
    {
        var ended = Data(Ended(Call(new string('x', 5000)), new string('y', 5000)));

        Assert.Equal(["agent", "tool_call_id", "name", "truncated", "output", "status", "duration_ms"], Names(ended));
        Assert.Equal(1024, ended.GetProperty("output").GetString()!.Length);
    }

    private static ToolCall Call(string text) =>
        new(
            "c",
            "write_file",
            JsonBytes.Element(
                text,
                static (writer, text) =>
                {
                    writer.WriteStartObject();
                    writer.WriteString("text"u8, text);
                    writer.WriteEndObject();
                }
            )
        );

    private static RunEvent.ToolEnded Ended(ToolCall call, string output) => new("lead", call, output, false, TimeSpan.Zero);

    /// <summary>Returns the data of the event, which is the same for subscribers and in the log.</summary>
    private static JsonElement Data(RunEvent value)
    {
        var envelope = new EventEnvelope("t", 1, default, value);
        var live = JsonBytes.Write(envelope, RunEventJson.Write);
        Assert.Equal(live, JsonBytes.Write(envelope, RunEventJson.WriteLogged));
        return JsonElement.Parse(live).GetProperty("data");
    }

    private static IEnumerable<string> Names(JsonElement data) => data.EnumerateObject().Select(property => property.Name);
}
