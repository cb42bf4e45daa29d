using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Recording;

/// <summary>Appends exchanges to a recording, each flushed before it is answered: whatever kills the program, what a run went on with is there.</summary>
/// <param name="stream">Where to write; behind the header, or behind the last whole line. Its owner closes it.</param>
/// <param name="name">What errors call it.</param>
public sealed class RecordingWriter(Stream stream, string name) : IDisposable
{
    private readonly SemaphoreSlim _writing = new(1, 1);
    private bool _isBroken;

    /// <summary>Exchanges written so far.</summary>
    public int Count { get; private set; }

    /// <exception cref="FaultException"><see cref="FaultCodes.RecordingFailed"/>: it cannot be written, or is larger than a line may be.</exception>
    public async Task AppendAsync(CanonicalRequest request, JsonElement response, CancellationToken cancellationToken)
    {
        var line = Line(request, response);
        if (line.Length > RecordingFormat.MaxLineBytes)
        {
            throw new FaultException(
                FaultCodes.RecordingFailed, $"an exchange of {line.Length} bytes is too large for the recording '{name}'",
                $"a line may have {RecordingFormat.MaxLineBytes} bytes; run without --record, or make the conversation smaller");
        }
        await _writing.WaitAsync(cancellationToken);
        try
        {
            await WriteAsync(line);
            Count++;
        }
        finally
        {
            _writing.Release();
        }
    }

    public void Dispose() => _writing.Dispose();

    /// <summary>Is not cancelled: a line is written whole.</summary>
    private async Task WriteAsync(byte[] line)
    {
        if (_isBroken)
        {
            throw new FaultException(FaultCodes.RecordingFailed, $"the recording '{name}' could not be written before, and is not complete", "see to the disk, and record anew");
        }
        try
        {
            await stream.WriteAsync(line, CancellationToken.None);
            await stream.FlushAsync(CancellationToken.None);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            _isBroken = true; // half a line may be there: another one after it would make the file unreadable
            throw new FaultException(FaultCodes.RecordingFailed, $"the recording '{name}' cannot be written: {exception.Message}", "see to the disk, and record anew", exception);
        }
    }

    private static byte[] Line(CanonicalRequest request, JsonElement response) =>
    [
        .. JsonBytes.Write((request, response), static (writer, it) =>
        {
            writer.WriteStartObject();
            writer.WriteString("kind"u8, it.request.Kind);
            writer.WriteString("hash"u8, it.request.Hash);
            writer.WritePropertyName("request"u8);
            writer.WriteRawValue(it.request.Json.Span, skipInputValidation: true);
            writer.WritePropertyName("response"u8);
            it.response.WriteTo(writer);
            writer.WriteEndObject();
        }),
        (byte)'\n',
    ];
}
