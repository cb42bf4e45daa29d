using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Tests.Json;

public sealed class WellFormedTextTests
{
    [Theory]
    [InlineData(@"""a""", "a")]
    [InlineData(@"""\ud83d\udce6""", "📦")]
    [InlineData(@"""x\ud83dy""", "x\uFFFDy")]
    [InlineData(@"""\uDCE6\uD83D""", "\uFFFD\uFFFD")]
    [InlineData(@"""\ud83d\n\t\\\""\/\u0041""", "\uFFFD\n\t\\\"/A")]
    [InlineData(@"""\\ud83d""", @"\ud83d")]
    [InlineData(@"""\\\ud83d""", "\\\uFFFD")]
    public void An_unpaired_surrogate_in_a_JSON_string_is_replaced(string json, string text)
    {
        Assert.Equal(text, WellFormedText.Of(JsonElement.Parse(json)));
        Assert.Equal(text, InputJson.Parse(json).GetString());
    }

    [Fact]
    public void A_message_with_unpaired_surrogates_can_be_read_and_written()
    {
        const string Json = """
            [{"role":"user","id":"1","content":"a\ud83d"},
             {"role":"user","id":"2","content":[{"type":"text","text":"b\udce6"}]},
             {"role":"assistant","id":"3","content":"","reasoning":"c\ud83d","tool_calls":[
              {"id":"x\ud83d","name":"f","args":{"d\ud83d":"e\udce6"}},
              {"id":"y","function":{"name":"g","arguments":"{\"h\":\"\\ud83d\"}"}}]},
             {"role":"tool","id":"4","tool_call_id":"x\ud83d","content":"i\ud83d\u0000"}]
            """;

        var read = MessageJson.ReadUpdate(JsonElement.Parse(Json), "p");
        var stored = JsonBytes.Write(read, MessageJson.Write);
        var again = MessageJson.ReadUpdate(JsonElement.Parse(stored), "p");

        Assert.Equal(Encoding.UTF8.GetString(stored), Encoding.UTF8.GetString(JsonBytes.Write(again, MessageJson.Write)));
        var messages = again.Edits.Cast<MessageEdit.Put>().Select(edit => edit.Message).ToList();
        Assert.Equal(["a\uFFFD", "b\uFFFD", "", "i\uFFFD\0"], messages.Select(message => message.Text));
        Assert.Equal(
            ("c\uFFFD", "x\uFFFD", "e\uFFFD"),
            (messages[2].Reasoning, messages[2].ToolCalls[0].Id, messages[2].ToolCalls[0].Arguments.GetProperty("d\uFFFD").GetString())
        );
        Assert.Equal(messages[2].ToolCalls[0].Id, messages[3].ToolCallId);
        Assert.Equal("\uFFFD", messages[2].ToolCalls[1].Arguments.GetProperty("h").GetString());
    }

    [Fact]
    public void Any_text_with_escapes_is_repaired_so_that_a_parser_accepts_it()
    {
        string[] pieces = [@"\ud83d", @"\udce6", @"\\", @"\n", "a", "📦", @"\u0041", @"\uD800", "ü"];
        for (var seed = 0; seed < 2_000; seed++)
        {
            var random = new Random(seed);
            var json = $"\"{string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => pieces[random.Next(pieces.Length)]))}\"";

            Assert.Equal(WellFormedText.Of(JsonElement.Parse(json)), InputJson.Parse(json).GetString());
        }
    }
}
