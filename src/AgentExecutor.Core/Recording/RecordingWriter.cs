using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Recording;

/// <summary>
/// Appends exchanges to a recording. Each exchange is flushed before its answer is used, so that the recording contains everything that a
/// run used, even if the program is killed.
/// </summary>
/// <param name="stream">The stream, positioned after the header or after the last complete line. The caller closes it.</param>
/// <param name="name">The name of the recording in error messages.</param>
public sealed class RecordingWriter(Stream stream, string name) : IDisposable
{
    private readonly SemaphoreSlim _writing = new(1, 1);
    private bool _isBroken;

    /// <summary>The number of exchanges written so far.</summary>
    public int Count { get; private set; }

    /// <exception cref="FaultException">The recording cannot be written, or the exchange is too large
    /// (<see cref="FaultCodes.RecordingFailed"/>).</exception>
    public async Task AppendAsync(CanonicalRequest request, JsonElement response, CancellationToken cancellationToken)
    {
        var line = Line(request, response);
        if (line.Length > RecordingFormat.MaxLineBytes)
        {
            throw new FaultException(
                FaultCodes.RecordingFailed,
                $"an exchange of {line.Length} bytes is too large for the recording '{name}'",
                $"a line can have at most {RecordingFormat.MaxLineBytes} bytes; run without --record, or shorten the conversation"
            );
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

    /// <summary>This method is not cancellable, so that every line is written completely.</summary>
    private async Task WriteAsync(byte[] line)
    {
        if (_isBroken)
        {
            throw new FaultException(
                FaultCodes.RecordingFailed,
                $"the recording '{name}' is incomplete, because an earlier write to it failed",
                "check the disk, and record the run again"
            );
        }
        try
        {
            await stream.WriteAsync(line, CancellationToken.None);
            await stream.FlushAsync(CancellationToken.None);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            _isBroken = true; // the file may end with a partial line, and another line after it would make the file unreadable
            throw new FaultException(
                FaultCodes.RecordingFailed,
                $"the recording '{name}' cannot be written: {exception.Message}",
                "check the disk, and record the run again",
                exception
            );
        }
    }

    private static byte[] Line(CanonicalRequest request, JsonElement response) =>
        [
            .. JsonBytes.Write(
                (request, response),
                static (writer, it) =>
                {
                    writer.WriteStartObject();
                    writer.WriteString("kind"u8, it.request.Kind);
                    writer.WriteString("hash"u8, it.request.Hash);
                    writer.WritePropertyName("request"u8);
                    writer.WriteRawValue(it.request.Json.Span, skipInputValidation: true);
                    writer.WritePropertyName("response"u8);
                    it.response.WriteTo(writer);
                    writer.WriteEndObject();
                }
            ),
            (byte)'\n',
        ];
}
