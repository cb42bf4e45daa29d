using System.Buffers;
using System.Text;
using AgentExecutor.Adapters.Nats.Protocol;

namespace AgentExecutor.Tests.Nats;

public sealed class NatsParserTests
{
    private const string Conversation =
        "INFO {\"server_id\":\"A\",\"max_payload\":1024}\r\nPING\r\npong\r\n+OK\r\n-ERR 'Authorization Violation'\r\n" +
        "MSG a.b 7 5\r\nhello\r\nMSG a.b 8 inbox.1 0\r\n\r\nHMSG  x\t9 12 17\r\nNATS/1.0\r\n\r\nhello\r\n" +
        "HMSG x 10 inbox.2 30 30\r\nNATS/1.0 503 No Responders\r\n\r\n\r\nMSG z 11 2\r\n\r\n\r\n";

    private static readonly string[] Meaning =
    [
        "Info {\"server_id\":\"A\",\"max_payload\":1024}", "Ping", "Pong", "Ok", "Error Authorization Violation",
        "a.b 7  0 hello", "a.b 8 inbox.1 0 ", "x 9  0 hello", "x 10 inbox.2 503 ", "z 11  0 \r\n",
    ];

    [Fact]
    public void Reads_everything_that_a_server_says() => Assert.Equal(Meaning, Parse(Encoding.UTF8.GetBytes(Conversation)));

    [Fact]
    public void Reads_the_same_split_at_every_byte()
    {
        var bytes = Encoding.UTF8.GetBytes(Conversation);
        for (var at = 0; at <= bytes.Length; at++)
        {
            Assert.Equal(Meaning, Parse(bytes[..at], bytes[at..]));
        }
    }

    [Fact]
    public void Reads_the_same_byte_by_byte() => Assert.Equal(Meaning, Parse([.. Encoding.UTF8.GetBytes(Conversation).Select(it => new[] { it })]));

    [Theory]
    [InlineData("HELLO\r\n")]
    [InlineData("\r\n")]
    [InlineData("MSG\r\n")]
    [InlineData("MSG a 1\r\n")]
    [InlineData("MSG a x 1\r\n")]
    [InlineData("MSG a 1 -1\r\n")]
    [InlineData("MSG a 1 99999999999\r\n")]
    [InlineData("MSG a 1 1x\r\n")]
    [InlineData("MSG a 1 b 2 3\r\n")]
    [InlineData("MSG a 1 2\r\nabcd")]
    [InlineData("HMSG a 1 5\r\n")]
    [InlineData("HMSG a 1 6 5\r\n")]
    [InlineData("HMSG a 1 b 5 6 7\r\n")]
    public void Refuses_what_is_no_nats(string text)
    {
        var fault = Assert.Throws<NatsException>(() => Parse(Encoding.UTF8.GetBytes(text)));

        Assert.Equal(NatsFault.Protocol, fault.Fault);
        Assert.True(fault.IsTransient);
    }

    [Fact]
    public void Refuses_a_line_without_an_end() =>
        Assert.Equal(NatsFault.Protocol, Assert.Throws<NatsException>(() => Parse(new byte[NatsParser.MaxLine + 1])).Fault);

    [Fact]
    public void Sets_nothing_aside_for_a_payload_that_has_not_come()
    {
        var parser = new NatsParser();
        var line = Encoding.UTF8.GetBytes($"MSG a 1 {NatsParser.MaxPayload}\r\n");
        var before = GC.GetAllocatedBytesForCurrentThread();
        var buffer = new ReadOnlySequence<byte>(line);

        Assert.False(parser.TryRead(ref buffer, out _));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 10_000);
    }

    [Fact]
    public void Any_mutation_is_read_or_refused_and_never_costs_more_than_it_sends()
    {
        var random = new Random(20261121);
        var sample = Encoding.UTF8.GetBytes(Conversation);
        for (var round = 0; round < 20_000; round++)
        {
            var bytes = Mutation.Of(sample, "0123456789 \r\n", random);
            var cut = random.Next(bytes.Length);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                Parse(bytes[..cut], bytes[cut..]);
            }
            catch (NatsException fault)
            {
                Assert.Equal(NatsFault.Protocol, fault.Fault);
            }
            Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 200_000);
        }
    }

    private static List<string> Parse(params byte[][] pieces)
    {
        var parser = new NatsParser();
        var said = new List<string>();
        var rest = Array.Empty<byte>();
        foreach (var piece in pieces)
        {
            var buffer = Join(rest, piece);
            while (parser.TryRead(ref buffer, out var op))
            {
                said.Add(Describe(op));
            }
            rest = buffer.ToArray();
        }
        return said;
    }

    /// <summary>In two segments, as a pipe has them.</summary>
    private static ReadOnlySequence<byte> Join(byte[] first, byte[] second)
    {
        var start = new Segment(first, 0);
        return new ReadOnlySequence<byte>(start, 0, start.Append(second), second.Length);
    }

    private static string Describe(NatsOp op) => op is { Kind: NatsOpKind.Message, Message: { } message }
        ? $"{message.Subject} {message.SubscriptionId} {message.ReplyTo} {message.Status} {Encoding.UTF8.GetString(message.Payload.Span)}"
        : $"{op.Kind} {op.Text}".Trim();

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(byte[] memory, long index) => (Memory, RunningIndex) = (memory, index);

        public Segment Append(byte[] memory)
        {
            var next = new Segment(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
