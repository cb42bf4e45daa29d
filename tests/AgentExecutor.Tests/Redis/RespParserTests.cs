using System.Buffers;
using System.Diagnostics;
using System.Text;
using AgentExecutor.Adapters.Redis.Protocol;

namespace AgentExecutor.Tests.Redis;

public sealed class RespParserTests
{
    private const string Conversation =
        "+OK\r\n-ERR no\r\n:42\r\n:-7\r\n$5\r\nhe\r\no\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n*2\r\n$1\r\na\r\n*1\r\n_\r\n%1\r\n+k\r\n:1\r\n~2\r\n#t\r\n#f\r\n" +
        ">2\r\n$7\r\nmessage\r\n$1\r\nx\r\n,1.5\r\n,-inf\r\n,nan\r\n,1e3\r\n(123456789012345678901234567890\r\n!4\r\nERR!\r\n=6\r\ntxt:hi\r\n|1\r\n+a\r\n*1\r\n:1\r\n+after\r\n" +
        "*1\r\n|1\r\n+a\r\n+b\r\n:9\r\n+\r\n";

    private static readonly string[] Meaning =
    [
        "SimpleString:OK", "Error:ERR no", "Integer:42", "Integer:-7", "BulkString:he\r\no", "BulkString:", "Null", "Null", "Array[]",
        "Array[BulkString:a, Array[Null]]", "Map[SimpleString:k, Integer:1]", "Set[Boolean:1, Boolean:0]", "Push[BulkString:message, BulkString:x]",
        "Double:1.5", "Double:-Infinity", "Double:NaN", "Double:1000", "BigNumber:123456789012345678901234567890", "BlobError:ERR!", "Verbatim:hi", "SimpleString:after",
        "Array[Integer:9]", "SimpleString:",
    ];

    [Fact]
    public void Reads_every_type_of_both_versions() => Assert.Equal(Meaning, RespText.Parse([Bytes(Conversation)]));

    [Fact]
    public void Reads_the_same_split_at_every_byte()
    {
        var bytes = Bytes(Conversation);
        for (var at = 0; at <= bytes.Length; at++)
        {
            Assert.Equal(Meaning, RespText.Parse([bytes[..at], bytes[at..]]));
        }
    }

    [Fact]
    public void Reads_the_same_byte_by_byte() => Assert.Equal(Meaning, RespText.Parse(Bytes(Conversation).Select(it => new[] { it })));

    [Fact]
    public void Keeps_errors_and_pushes_alone_where_nothing_else_is_wanted()
    {
        var kept = RespText.Parse([Bytes(Conversation)], isKept: false);

        Assert.Equal(Meaning.Select(meaning => meaning.StartsWith("Error", StringComparison.Ordinal) || meaning.StartsWith("BlobError", StringComparison.Ordinal) || meaning.StartsWith("Push", StringComparison.Ordinal) ? meaning : "-"), kept);
    }

    [Theory]
    [InlineData("HELLO\r\n")]
    [InlineData("\r\n")]
    [InlineData("+OK\n")]
    [InlineData("x")]
    [InlineData(":\r\n")]
    [InlineData(":1x\r\n")]
    [InlineData(":99999999999999999999\r\n")]
    [InlineData("$-2\r\n")]
    [InlineData("$x\r\n")]
    [InlineData("$999999999999\r\n")]
    [InlineData("$2\r\nabcd")]
    [InlineData("*-2\r\n")]
    [InlineData("*99999999\r\n")]
    [InlineData("%600000\r\n")]
    [InlineData("%9223372036854775807\r\n")]
    [InlineData("%-1\r\n")]
    [InlineData(">-1\r\n")]
    [InlineData("_x\r\n")]
    [InlineData("#x\r\n")]
    [InlineData(",x\r\n")]
    [InlineData(", 1\r\n")]
    [InlineData("(1.5\r\n")]
    [InlineData("(-\r\n")]
    [InlineData("=2\r\nab\r\n")]
    [InlineData("=4\r\nabcd\r\n")]
    [InlineData("$?\r\n")]
    [InlineData("*?\r\n")]
    [InlineData(";4\r\n")]
    [InlineData(".\r\n")]
    public void Refuses_what_is_no_resp(string text)
    {
        if (text == "x")
        {
            text = string.Concat(Enumerable.Repeat("*1\r\n", RespParser.MaxDepth + 1));
        }
        var fault = Assert.Throws<RedisException>(() => RespText.Parse([Bytes(text)]));

        Assert.Equal((RedisFault.Protocol, true), (fault.Fault, fault.IsTransient));
        Assert.Equal(fault.Message, Assert.Throws<RedisException>(() => RespText.Parse([Bytes(text)], isKept: false)).Message);
    }

    [Fact]
    public void Refuses_a_line_without_an_end() =>
        Assert.Equal(RedisFault.Protocol, Assert.Throws<RedisException>(() => RespText.Parse([new byte[RespTokens.MaxLine + 1]])).Fault);

    [Theory]
    [InlineData("$536870912\r\n")]
    [InlineData("*1048576\r\n")]
    [InlineData("*1048576\r\n*1048576\r\n*1048576\r\n$536870912\r\n")]
    public void Sets_nothing_aside_for_what_has_not_come(string text)
    {
        var parser = new RespParser();
        var bytes = Bytes(text);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var buffer = new ReadOnlySequence<byte>(bytes);

        Assert.False(parser.TryRead(ref buffer, isKept: true, out _));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 10_000);
    }

    [Fact]
    public void A_long_reply_in_small_pieces_is_read_in_linear_time()
    {
        var list = Bytes($"*200000\r\n{string.Concat(Enumerable.Repeat("*2\r\n$1\r\na\r\n:1\r\n", 200_000))}");
        var watch = Stopwatch.StartNew();

        var values = RespText.Parse(list.Chunk(7));

        Assert.Single(values);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"{watch.Elapsed}"); // read anew with each piece it would take hours
    }

    [Fact]
    public void Random_values_in_random_pieces_are_read_as_they_were_written()
    {
        var random = new Random(20261121);
        for (var round = 0; round < 3_000; round++)
        {
            var (wire, written) = (new StringBuilder(), new List<string>());
            for (var count = random.Next(1, 6); count > 0; count--)
            {
                written.Add(RespText.Random(random, wire, 0));
            }
            Assert.Equal(written, RespText.Parse(Cut(Encoding.Latin1.GetBytes($"{wire}"), random)));
        }
    }

    [Fact]
    public void Any_bytes_are_read_or_refused_and_never_cost_much_more_than_they_are()
    {
        var random = new Random(20261122);
        var sample = Bytes(Conversation);
        for (var round = 0; round < 30_000; round++)
        {
            var bytes = Mutation.Of(sample, "+-:$!=*%~>|_#,(0123456789\r\n", random);
            var pieces = Cut(bytes, random);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                RespText.Parse(pieces, isKept: round % 2 == 0);
            }
            catch (RedisException fault)
            {
                Assert.Equal(RedisFault.Protocol, fault.Fault);
            }
            Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 300_000);
        }
    }

    private static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);

    private static List<byte[]> Cut(byte[] bytes, Random random)
    {
        var (pieces, most) = (new List<byte[]>(), random.Next(1, 60));
        for (var at = 0; at < bytes.Length;)
        {
            var next = Math.Min(bytes.Length, at + random.Next(1, most + 1));
            pieces.Add(bytes[at..next]);
            at = next;
        }
        return pieces;
    }
}
