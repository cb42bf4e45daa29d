using System.IO.Pipelines;
using System.Text;
using AgentExecutor.Adapters.Redis;
using StackExchange.Redis;

namespace AgentExecutor.Tests.Redis;

public sealed class WatchedStreamTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Reading_stops_until_the_received_messages_are_delivered()
    {
        var isDelivered = false;
        var checks = new SemaphoreSlim(0);
        using var stream = Open(
            new MemoryStream(new byte[64 * 1024 * 1024]),
            () =>
            {
                checks.Release();
                return Volatile.Read(ref isDelivered);
            }
        );
        var reading = ReadToEndAsync(stream);

        await checks.WaitAsync(Cancel);
        await checks.WaitAsync(Cancel);
        var before = stream.Activity;
        Assert.False(reading.IsCompleted);
        await checks.WaitAsync(Cancel);
        Assert.True(stream.Activity > before, "a server is not considered dead because this process is slow");

        Volatile.Write(ref isDelivered, true);
        Assert.Equal(64 * 1024 * 1024, await reading);
    }

    [Fact]
    public async Task A_connection_without_messages_is_read_continuously()
    {
        using var stream = Open(new MemoryStream(new byte[16 * 1024 * 1024]), isDelivered: null);

        Assert.Equal(16 * 1024 * 1024, await ReadToEndAsync(stream));
    }

    [Fact]
    public async Task Only_a_write_that_had_to_wait_shows_that_the_connection_is_alive()
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 100, resumeWriterThreshold: 50));
        using var stream = Open(pipe.Writer.AsStream(), isDelivered: null);

        await stream.WriteAsync(new byte[10], Cancel);
        Assert.Equal(0, stream.Activity);

        var write = stream.WriteAsync(new byte[200], Cancel);
        Assert.False(write.IsCompleted);
        var read = await pipe.Reader.ReadAsync(Cancel);
        pipe.Reader.AdvanceTo(read.Buffer.End);
        await write;
        Assert.Equal(1, stream.Activity);
    }

    [Fact]
    public async Task The_reason_why_a_server_accepts_no_connection_is_kept()
    {
        using var refused = Open(new MemoryStream("-ERR max number of clients reached\r\n"u8.ToArray()), isDelivered: null);
        await ReadToEndAsync(refused);
        Assert.Equal("ERR max number of clients reached", refused.Refusal);

        using var accepted = Open(new MemoryStream("+OK\r\n-ERR unknown command\r\n"u8.ToArray()), isDelivered: null);
        await ReadToEndAsync(accepted);
        Assert.Null(accepted.Refusal);
    }

    [Theory]
    [InlineData("+OK\r\n-NOPERM this user has no permissions to run the 'ping' command\r\n:7\r\n", "+OK\r\n+PONG\r\n:7\r\n")]
    [InlineData("-NOPERM User w has no permissions to run the 'PING' command or its subcommand\r\n", "+PONG\r\n")]
    [InlineData("-NOPERM this user has no permissions to run the 'client|id' command\r\n+PONG\r\n", null)]
    [InlineData("+PONG\r\n-NOPERM this user has no permissions to run the 'get' command\r\n", null)]
    [InlineData("-NOPERM this user has no permissions to run the 'ping' com", null)]
    [InlineData("+OK\r\n", null)]
    public void A_user_without_permission_for_PING_completes_the_handshake(string received, string? expected)
    {
        var bytes = Encoding.UTF8.GetBytes(received);

        var length = HandshakeReply.AllowWithoutPing(bytes);

        Assert.Equal(expected ?? received, Encoding.UTF8.GetString(bytes, 0, length));
    }

    [Fact]
    public async Task After_the_handshake_nothing_is_changed()
    {
        const string Message = "-NOPERM this user has no permissions to run the 'ping' command\r\n";
        var pipe = new Pipe();
        using var stream = Open(pipe.Reader.AsStream(), isDelivered: null);
        var buffer = new byte[1024];
        await pipe.Writer.WriteAsync("+PONG\r\n"u8.ToArray(), Cancel);
        await stream.ReadExactlyAsync(buffer.AsMemory(0, 7), Cancel);

        await pipe.Writer.WriteAsync(Encoding.UTF8.GetBytes(Message), Cancel);
        var count = await stream.ReadAsync(buffer, Cancel);

        Assert.Equal(Message, Encoding.UTF8.GetString(buffer, 0, count));
    }

    private static WatchedStream Open(Stream inner, Func<bool>? isDelivered) =>
        new(inner, ConnectionType.Subscription, isDelivered, TimeProvider.System);

    private static async Task<long> ReadToEndAsync(WatchedStream stream)
    {
        var buffer = new byte[64 * 1024];
        var total = 0L;
        while (await stream.ReadAsync(buffer, Cancel) is > 0 and var count)
        {
            total += count;
        }
        return total;
    }
}
