using AgentExecutor.Core.Messages;

namespace AgentExecutor.Tests.Messages;

public sealed class MessageLogTests
{
    [Fact]
    public void Versions_with_a_common_beginning_are_independent()
    {
        var trunk = MessageLog.Of(Human("1"), Human("2"));
        var left = trunk.Apply(MessageUpdate.Append(Human("left")));
        var right = trunk.Apply(MessageUpdate.Append(Human("right")));
        var longer = left.Apply(MessageUpdate.Append(Enumerable.Range(0, 100).Select(i => Human($"l{i}"))));

        Assert.Equal(["1", "2"], Ids(trunk));
        Assert.Equal(["1", "2", "left"], Ids(left));
        Assert.Equal(["1", "2", "right"], Ids(right));
        Assert.Equal(103, longer.Count);
        // The id is new in this branch, although the other branch contains it.
        Assert.Equal(["1", "2", "right", "l5"], Ids(right.Apply(MessageUpdate.Append(Human("l5")))));
    }

    [Fact]
    public void A_message_with_a_known_id_is_replaced_and_older_versions_do_not_change()
    {
        var before = MessageLog.Of(Human("1"), Human("2"));
        var after = before.Apply(MessageUpdate.Append(Message.Human("1", "changed")));

        Assert.Equal(["changed", "text 2"], after.Select(it => it.Text));
        Assert.Equal(["text 1", "text 2"], before.Select(it => it.Text));
    }

    [Fact]
    public void Messages_are_removed_by_id_or_all_at_once()
    {
        var log = MessageLog.Of(Human("1"), Human("2"), Human("3"));

        Assert.Equal(["1", "3"], Ids(log.Apply(new MessageUpdate([new MessageEdit.Remove("2"), new MessageEdit.Remove("nobody")]))));
        Assert.Equal(["4"], Ids(log.Apply(MessageUpdate.Replace([Human("4")]))));
    }

    [Fact]
    public void Length_and_turns_are_updated_with_each_change()
    {
        var log = MessageLog.Of(Human("1"), Message.Ai("2", "1234"), Message.Ai("3", "12"));
        Assert.Equal((6 + 4 + 2, 2), (log.Length, log.AiTurns));

        log = log.Apply(new MessageUpdate([new MessageEdit.Remove("2")]));
        Assert.Equal((6 + 2, 1), (log.Length, log.AiTurns));
    }

    [Fact]
    public async Task Concurrent_appends_to_one_version_produce_separate_versions()
    {
        var trunk = MessageLog.Of(Human("1"));

        var logs = await Task.WhenAll(
            Enumerable.Range(0, 64).Select(i => Task.Run(() => trunk.Apply(MessageUpdate.Append([Human($"a{i}"), Human($"b{i}")]))))
        );

        for (var i = 0; i < logs.Length; i++)
        {
            Assert.Equal(["1", $"a{i}", $"b{i}"], Ids(logs[i]));
        }
    }

    [Theory]
    [InlineData("""[{"type": "text", "text": "hello"}, "there"]""", 0)]
    [InlineData(
        """
            [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
             {"type": "image", "source": {"type": "url", "url": "https://x/y"}}]
            """,
        12_800
    )]
    [InlineData("""[{"type": "file", "file": {"mime_type": "image/png", "data": "DATA"}}]""", 6_400)]
    [InlineData("""[{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "DATA"}}]""", 100_000)]
    [InlineData("""[{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "DATA"}}]""", 200_088)]
    [InlineData("""{"type": "image"}""", 0)]
    public void Parts_other_than_text_count_by_kind_and_size(string parts, int length) =>
        Assert.Equal(
            2 + length,
            (
                Message.Human("h", "go") with
                {
                    Parts = Engine.Json(parts.Replace("DATA", new string('A', 200_000), StringComparison.Ordinal)),
                }
            ).Length
        );

    private static Message Human(string id) => Message.Human(id, $"text {id}"[..Math.Min(6, 5 + id.Length)]);

    private static IEnumerable<string> Ids(MessageLog log) => log.Select(it => it.Id);
}
