using AgentExecutor.Adapters.Connections;
using AgentExecutor.Core;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// The bytes of an answer, up to a maximum length. A failing connection results in the usual faults. An empty line is added at the end,
/// because the last event of a stream counts only if one follows, and some servers omit it.
/// </summary>
internal sealed class AnswerStream(Stream inner, ModelFaults faults) : ForwardStream(inner)
{
    public const long MaxLength = 64 * 1024 * 1024;

    private long _read;
    private bool _hasEnded;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return Counted(_hasEnded ? 0 : await Inner.ReadAsync(buffer, cancellationToken), buffer.Span);
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException)
        {
            throw Broken(exception);
        }
    }

    public override int Read(Span<byte> buffer)
    {
        try
        {
            return Counted(_hasEnded ? 0 : Inner.Read(buffer), buffer);
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException)
        {
            throw Broken(exception);
        }
    }

    private int Counted(int count, Span<byte> buffer)
    {
        _read += count;
        if (_read > MaxLength)
        {
            throw new FaultException(
                FaultCodes.ModelUnavailable,
                $"the model server's answer is longer than {MaxLength} bytes",
                "use another server, because this one does not end its answer"
            );
        }
        if (count > 0 || _hasEnded || buffer.Length < 2)
        {
            return count;
        }
        _hasEnded = true;
        "\n\n"u8.CopyTo(buffer);
        return 2;
    }

    private FaultException Broken(Exception exception) =>
        faults.Unavailable($"the connection failed in the middle of the answer: {exception.Message}");
}
