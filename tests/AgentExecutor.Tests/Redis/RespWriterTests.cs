using System.Buffers;
using System.Text;
using AgentExecutor.Adapters.Redis.Protocol;

namespace AgentExecutor.Tests.Redis;

public sealed class RespWriterTests
{
    [Fact]
    public void Writes_a_command_as_bulk_strings()
    {
        var output = new ArrayBufferWriter<byte>();
        RespWriter.Write(output, "SET", "ключ", "", "a\r\nb");

        Assert.Equal("*4\r\n$3\r\nSET\r\n$8\r\nключ\r\n$0\r\n\r\n$4\r\na\r\nb\r\n", Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Fact]
    public void Writes_numbers_and_prefixed_texts()
    {
        var bytes = new byte[200];
        var writer = new RespWriter(bytes);
        writer.Begin(3);
        writer.Bulk(long.MinValue, "-0"u8);
        writer.Bulk("p:"u8, "é");
        writer.Bulk([0, 255]);

        Assert.Equal("*3\r\n$22\r\n-9223372036854775808-0\r\n$4\r\np:é\r\n$2\r\n", Encoding.UTF8.GetString(bytes.AsSpan(0, writer.Written - 4)));
        Assert.Equal<byte>([0, 255, 13, 10], bytes[(writer.Written - 4)..writer.Written]);
    }

    [Fact]
    public void Any_arguments_are_read_back_as_they_were()
    {
        var random = new Random(20261123);
        for (var round = 0; round < 2_000; round++)
        {
            var arguments = Enumerable.Range(0, random.Next(1, 8)).Select(_ => new string([.. Enumerable.Range(0, random.Next(50)).Select(_ => (char)random.Next(0xD000))])).ToArray();
            var output = new ArrayBufferWriter<byte>();
            RespWriter.Write(output, arguments);
            var buffer = new ReadOnlySequence<byte>(output.WrittenMemory);

            Assert.True(new RespParser().TryRead(ref buffer, isKept: true, out var value));
            Assert.Equal(arguments, value!.Items.Select(item => item.Text));
            Assert.True(buffer.IsEmpty);
        }
    }
}
