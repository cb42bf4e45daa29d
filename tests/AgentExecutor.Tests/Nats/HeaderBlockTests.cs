using System.Text;
using AgentExecutor.Adapters.Nats;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Tests.Nats;

public sealed class HeaderBlockTests
{
    [Fact]
    public void Order_case_and_every_value_of_headers_are_kept()
    {
        var block = HeaderBlock.Read("NATS/1.0\r\nce-Type: a\r\nX: 1\r\nX: zwei: \u00FC\r\nEmpty: \r\n\r\n"u8);

        Assert.Equal(
            [("ce-Type", "a"), ("X", "1"), ("X", "zwei: \u00FC"), ("Empty", "")],
            block.Fields.Select(field => (field.Key, field.Value))
        );
        Assert.Null(block.Fault);
    }

    [Theory]
    [InlineData("NATS/1.0 503\r\n\r\n")]
    [InlineData("NATS/1.0 409  Consumer Deleted \r\n\r\n")]
    [InlineData("NATS/1.0 hello\r\n\r\n")]
    public void A_status_in_the_first_line_is_skipped(string block) => Assert.Null(HeaderBlock.Read(Encoding.UTF8.GetBytes(block)).Fault);

    [Theory]
    [InlineData("", "does not begin with NATS/1.0")]
    [InlineData("HTTP/1.1 200\r\nA: b\r\n\r\n", "does not begin with NATS/1.0")]
    [InlineData("NATS/1.01\r\n\r\n", "does not begin with NATS/1.0")]
    [InlineData("NATS/1.0\r\n: b\r\n\r\n", "line 2 of the header block is not a header: it has no name")]
    [InlineData("NATS/1.0\r\nno colon\r\n\r\n", "line 2 of the header block is not a header: it has no colon")]
    [InlineData("NATS/1.0\r\n", "has no end")]
    [InlineData("NATS/1.0", "has no end")]
    [InlineData("NATS/1.0\r\n\r\nmore", "bytes follow")]
    public void An_invalid_header_is_omitted_and_reported(string block, string fault)
    {
        var headers = HeaderBlock.Read(Encoding.UTF8.GetBytes(block));

        Assert.Empty(headers.Fields);
        Assert.Contains(fault, headers.Fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("A: \u20AC 100%", "\u20AC 100%")]
    [InlineData("A :  b ", "b")]
    [InlineData("A: a\0b", "a\0b")]
    [InlineData("A:", "")]
    public void Text_that_is_not_encoded_is_read(string line, string value)
    {
        var headers = HeaderBlock.Read(Encoding.UTF8.GetBytes($"NATS/1.0\r\n{line}\r\nB: c\n\n"));

        Assert.Equal((value, "c", null), (Value(headers, "A"), Value(headers, "B"), headers.Fault));
    }

    [Fact]
    public void A_line_that_is_not_UTF8_is_read_as_Latin1()
    {
        byte[] block = [.. "NATS/1.0\r\nA: caf"u8, 0xE9, .. "\r\nB: caf"u8, 0xC3, 0xA9, .. "\r\n\r\n"u8];

        var headers = HeaderBlock.Read(block);

        Assert.Equal(("caf\u00E9", "caf\u00E9"), (Value(headers, "A"), Value(headers, "B")));
    }

    [Theory]
    [InlineData("", "a")]
    [InlineData("A B", "a")]
    [InlineData("A:", "a")]
    [InlineData("A\r\nB", "a")]
    [InlineData("A", "b\r\nC: d")]
    public void A_name_or_value_cannot_create_another_header(string name, string value)
    {
        var message = new BusMessage("agent.execute.x", default) { Headers = [KeyValuePair.Create(name, value)] };

        Assert.Equal(FaultCodes.UnknownSubject, Assert.Throws<FaultException>(() => NatsMessages.HeadersOf(message)).Code);
    }

    private static string Value(HeaderBlock block, string name) => block.Fields.First(field => field.Key == name).Value;
}
