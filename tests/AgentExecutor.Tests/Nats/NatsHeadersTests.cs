using System.Text;
using AgentExecutor.Adapters.Nats.Protocol;

namespace AgentExecutor.Tests.Nats;

public sealed class NatsHeadersTests
{
    [Fact]
    public void Keeps_the_order_the_case_and_every_value()
    {
        var headers = new NatsHeaders();
        headers.Add("ce-Type", "a");
        headers.Add("X", "1");
        headers.Add("X", "zwei: ü");
        headers.Add("Empty", "");

        var read = NatsHeaders.Decode(headers.Encode());

        Assert.Equal(headers, read);
        Assert.Equal(["1", "zwei: ü"], read.All("X"));
        Assert.Equal("1", read["X"]);
        Assert.Null(read["x"]);
        Assert.Equal(0, read.Status);
    }

    [Theory]
    [InlineData("NATS/1.0 503\r\n\r\n", 503, "")]
    [InlineData("NATS/1.0 503 No Responders\r\n\r\n", 503, "No Responders")]
    [InlineData("NATS/1.0 409  Consumer Deleted \r\nA: b\r\n\r\n", 409, "Consumer Deleted")]
    [InlineData("NATS/1.0\r\n\r\n", 0, "")]
    [InlineData("NATS/1.0 hello\r\n\r\n", 0, "hello")]
    public void Reads_the_status_of_the_first_line(string block, int status, string text)
    {
        var headers = NatsHeaders.Decode(Encoding.UTF8.GetBytes(block));

        Assert.Equal((status, text), (headers.Status, headers.StatusText));
    }

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 200\r\nA: b\r\n\r\n")]
    [InlineData("NATS/1.0\r\n: b\r\nno colon\r\n")]
    public void Leaves_out_what_is_no_header(string block) => Assert.Empty(NatsHeaders.Decode(Encoding.UTF8.GetBytes(block)));

    [Theory]
    [InlineData("", "a")]
    [InlineData("A B", "a")]
    [InlineData("A:", "a")]
    [InlineData("A\r\nB", "a")]
    [InlineData("A", "b\r\nC: d")]
    public void Does_not_let_a_name_or_value_make_another_header(string name, string value) =>
        Assert.Equal(NatsFault.InvalidArgument, Assert.Throws<NatsException>(() => new NatsHeaders().Add(name, value)).Fault);
}
