using System.Text;
using AgentExecutor.Adapters.Connections;
using StackExchange.Redis;

namespace AgentExecutor.Adapters.Redis;

/// <summary>
/// A connection to the server that counts its activity, and that stops reading while received messages wait to be delivered. The library
/// puts messages into unlimited queues, so this is what limits their memory.
/// </summary>
/// <param name="inner">The connection.</param>
/// <param name="type">Its purpose.</param>
/// <param name="isDelivered">Returns true if all received messages were passed on. Null if the connection receives no messages.</param>
/// <param name="time">The source of time.</param>
internal sealed class WatchedStream(Stream inner, ConnectionType type, Func<bool>? isDelivered, TimeProvider time) : ForwardStream(inner)
{
    /// <summary>How many bytes are received before the stream checks that their messages were delivered.</summary>
    private const int Window = 4 * 1024 * 1024;

    private const int LongestHandshake = 4096;
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(1);

    private long _activity;
    private int _handshake;
    private bool _isEstablished;
    private int _uncheckedBytes;

    public ConnectionType Type => type;

    /// <summary>Increases whenever the server shows that it is alive.</summary>
    public long Activity => Interlocked.Read(ref _activity);

    /// <summary>
    /// The first reply, if it is an error. A server that rejects a connection sends the reason and closes the connection.
    /// </summary>
    public string? Refusal { get; private set; }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_uncheckedBytes >= Window)
        {
            await WaitForDeliveryAsync(cancellationToken);
        }
        var count = await Inner.ReadAsync(buffer, cancellationToken);
        Interlocked.Increment(ref _activity);
        _uncheckedBytes += isDelivered is null ? 0 : count;
        return _isEstablished ? count : ReadHandshake(buffer.Span[..count]);
    }

    /// <summary>
    /// Only a write that had to wait counts as activity, because the server must have received some of the earlier data. Other writes only
    /// fill a buffer of the system, which also accepts them if the server hangs.
    /// </summary>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var write = Inner.WriteAsync(buffer, cancellationToken);
        return write.IsCompletedSuccessfully ? write : WaitAsync(write);
    }

    public override int Read(Span<byte> buffer) => throw new NotSupportedException("This stream supports only asynchronous reads.");

    private int ReadHandshake(Span<byte> received)
    {
        if (_handshake == 0 && received is [(byte)'-', .. var error])
        {
            Refusal = Encoding.UTF8.GetString(error).Split('\r')[0];
        }
        var count = HandshakeReply.AllowWithoutPing(received);
        _handshake += received.Length;
        _isEstablished = HandshakeReply.HasPong(received) || _handshake > LongestHandshake;
        return count;
    }

    private async ValueTask WaitAsync(ValueTask write)
    {
        await write;
        Interlocked.Increment(ref _activity);
    }

    private async Task WaitForDeliveryAsync(CancellationToken cancellationToken)
    {
        while (!isDelivered!())
        {
            // The delay is not caused by the server.
            Interlocked.Increment(ref _activity);
            await Task.Delay(Poll, time, cancellationToken);
        }
        _uncheckedBytes = 0;
    }
}
