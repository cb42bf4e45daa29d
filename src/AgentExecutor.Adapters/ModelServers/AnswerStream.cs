using AgentExecutor.Core;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// An answer's bytes, no more of them than is sane. A connection that fails is a fault like others. An empty line is put at its end: the last event of a stream
/// counts only with one, and some servers leave it out.
/// </summary>
internal sealed class AnswerStream(Stream inner, ModelFaults faults) : Stream
{
    public const long Longest = 64 * 1024 * 1024;

    private long _read;
    private bool _hasEnded;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => _read; set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return Counted(_hasEnded ? 0 : await inner.ReadAsync(buffer, cancellationToken), buffer.Span);
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException)
        {
            throw Broken(exception);
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        try
        {
            return Counted(_hasEnded ? 0 : inner.Read(buffer), buffer);
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException)
        {
            throw Broken(exception);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }
        base.Dispose(disposing);
    }

    private int Counted(int count, Span<byte> buffer)
    {
        _read += count;
        if (_read > Longest)
        {
            throw new FaultException(FaultCodes.ModelUnavailable, $"the model server's answer is longer than {Longest} bytes", "use another server: this one does not stop");
        }
        if (count > 0 || _hasEnded || buffer.Length < 2)
        {
            return count;
        }
        _hasEnded = true;
        "\n\n"u8.CopyTo(buffer);
        return 2;
    }

    private FaultException Broken(Exception exception) => faults.Unavailable($"the connection failed within the answer: {exception.Message}");
}
