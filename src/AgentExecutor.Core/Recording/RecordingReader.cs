using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Recording;

/// <summary>Reads recordings line by line. An incomplete last line, which a killed program leaves, is omitted and reported.</summary>
public sealed class RecordingReader
{
    private const int InitialBufferSize = 64 * 1024;
    private const int MaxReadSize = 1024 * 1024;

    private readonly string _name;
    private readonly List<RecordedExchange> _exchanges = [];
    private bool _hasHeader;
    private long _wholeBytes;
    private int _line;

    private RecordingReader(string name) => _name = name;

    /// <param name="stream">The stream to read.</param>
    /// <param name="name">The name of the file in error messages.</param>
    /// <param name="cancellationToken">Cancels reading.</param>
    /// <exception cref="FaultException">The stream is not a recording, or one of its lines is damaged
    /// (<see cref="FaultCodes.InvalidRecording"/>); the message gives the line.</exception>
    public static async Task<RecordedExchanges> ReadAsync(Stream stream, string name, CancellationToken cancellationToken)
    {
        var reader = new RecordingReader(name);
        var isCutOff = await reader.ReadAsync(stream, cancellationToken);
        return new RecordedExchanges(reader._exchanges, reader._wholeBytes, isCutOff);
    }

    private async Task<bool> ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        var (buffer, start, end) = (new byte[InitialBufferSize], 0, 0);
        while (true)
        {
            if (end == buffer.Length)
            {
                (buffer, end, start) = (WithRoom(buffer, start), end - start, 0);
            }
            var read = await stream.ReadAsync(buffer.AsMemory(end, Math.Min(MaxReadSize, buffer.Length - end)), cancellationToken);
            if (read == 0)
            {
                return End(buffer.AsSpan(start, end - start));
            }
            start = TakeLines(buffer, start, end, end + read);
            end += read;
            if (end - start > RecordingFormat.MaxLineBytes)
            {
                _line++;
                throw Fault($"the line is longer than {RecordingFormat.MaxLineBytes} bytes");
            }
        }
    }

    /// <summary>Copies the incomplete line to a buffer with at least the same amount of free space.</summary>
    private static byte[] WithRoom(byte[] buffer, int start)
    {
        var kept = buffer.AsSpan(start);
        var next = new byte[Math.Max(InitialBufferSize, kept.Length * 2)];
        kept.CopyTo(next);
        return next;
    }

    /// <summary>
    /// Processes the complete lines, searching only the new bytes for line breaks. Returns the position at which the next line starts.
    /// </summary>
    private int TakeLines(byte[] buffer, int start, int scanned, int end)
    {
        for (int length; (length = buffer.AsSpan(scanned, end - scanned).IndexOf((byte)'\n')) >= 0; start = scanned)
        {
            scanned += length + 1;
            _line++;
            Take(buffer.AsSpan(start, scanned - start - 1));
            _wholeBytes += scanned - start;
        }
        return start;
    }

    private void Take(ReadOnlySpan<byte> line)
    {
        if (line.Trim(" \t\r"u8).IsEmpty && _hasHeader)
        {
            return;
        }
        JsonElement json;
        try
        {
            json = StoredJson.Parse(line);
        }
        catch (JsonException exception)
        {
            throw _hasHeader ? Fault($"the line is not valid JSON: {exception.Message}") : NotARecording();
        }
        if (_hasHeader)
        {
            _exchanges.Add(Exchange(json));
        }
        else
        {
            CheckHeader(json);
            _hasHeader = true;
        }
    }

    /// <summary>
    /// Handles the bytes after the last line break: nothing, a line whose line break an editor removed, or an incomplete line. Returns true
    /// if it is incomplete.
    /// </summary>
    private bool End(ReadOnlySpan<byte> rest)
    {
        if (!rest.IsEmpty)
        {
            _line++;
            try
            {
                Take(rest);
            }
            catch (FaultException) when (_hasHeader)
            {
                return true;
            }
        }
        return _hasHeader ? false : throw NotARecording();
    }

    private void CheckHeader(JsonElement json)
    {
        if (json.TextProperty("format") != RecordingFormat.Name)
        {
            throw NotARecording();
        }
        if (
            json.Property("version") is not { ValueKind: JsonValueKind.Number } version
            || !version.TryGetInt32(out var number)
            || number != RecordingFormat.Version
        )
        {
            throw new FaultException(
                FaultCodes.InvalidRecording,
                $"'{_name}' is a recording of version {JsonBytes.Display(json.Property("version") ?? default)}, "
                    + $"but this program reads version {RecordingFormat.Version}",
                "replay it with the program that wrote it, or record the run again"
            );
        }
    }

    private RecordedExchange Exchange(JsonElement json)
    {
        if (
            json.TextProperty("kind") is not (ExchangeKinds.Model or ExchangeKinds.Tool)
            || json.TextProperty("hash") is not { } hash
            || json.Property("request") is not { ValueKind: JsonValueKind.Object } request
            || json.Property("response") is not { ValueKind: JsonValueKind.Object } response
        )
        {
            throw Fault("""the line does not have the form {"kind", "hash", "request", "response"}""");
        }
        var kind = json.TextProperty("kind")!;
        return CanonicalRequest.Of(kind, request).Hash == hash
            ? new RecordedExchange(kind, hash, request, response, _line)
            : throw Fault("the hash does not match the request, which was probably edited");
    }

    private FaultException NotARecording() =>
        new(
            FaultCodes.InvalidRecording,
            $"'{_name}' is not a recording: line 1 is not a header",
            "use a file that was written with --record"
        );

    private FaultException Fault(string what) =>
        new(
            FaultCodes.InvalidRecording,
            $"line {_line} of the recording '{_name}' is damaged: {what}",
            "correct or delete the line, or record the run again"
        );
}
