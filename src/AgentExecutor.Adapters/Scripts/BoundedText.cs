using System.Buffers;
using System.Text;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>Reads a stream to its end, and keeps at most a number of bytes of it.</summary>
internal sealed class BoundedText(Stream stream, int maxBytes)
{
    private readonly ArrayBufferWriter<byte> _kept = new();

    /// <summary>The number of bytes that were discarded.</summary>
    public long Dropped { get; private set; }

    /// <summary>The bytes as text.</summary>
    public string Text
    {
        get
        {
            lock (_kept)
            {
                return Encoding.UTF8.GetString(_kept.WrittenSpan);
            }
        }
    }

    /// <summary>
    /// Completes at the end of the stream. Errors of the stream also end it, because its process may be killed at any time.
    /// </summary>
    public async Task ReadAsync(CancellationToken cancellationToken)
    {
        var buffer = new byte[8192];
        try
        {
            while (await stream.ReadAsync(buffer, cancellationToken) is > 0 and var count)
            {
                lock (_kept)
                {
                    var room = Math.Min(count, maxBytes - _kept.WrittenCount);
                    _kept.Write(buffer.AsSpan(0, room));
                    Dropped += count - room;
                }
            }
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // what was read so far is all that there is
        }
    }
}
