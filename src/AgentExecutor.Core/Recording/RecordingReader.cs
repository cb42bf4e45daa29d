using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Recording;

/// <summary>Reads recordings, line by line. A last line that a killed program did not finish is left out, and said to be.</summary>
public sealed class RecordingReader
{
    private const int FirstBuffer = 64 * 1024;
    private const int MostAtOnce = 1024 * 1024;

    private readonly string _name;
    private readonly List<RecordedExchange> _exchanges = [];
    private bool _hasHeader;
    private long _wholeBytes;
    private int _line;

    private RecordingReader(string name) => _name = name;

    /// <param name="name">What errors call the file.</param>
    /// <exception cref="FaultException"><see cref="FaultCodes.InvalidRecording"/>: it is none, or a line of it is damaged; the message names the line.</exception>
    public static async Task<RecordedExchanges> ReadAsync(Stream stream, string name, CancellationToken cancellationToken)
    {
        var reader = new RecordingReader(name);
        var isCutOff = await reader.ReadAsync(stream, cancellationToken);
        return new RecordedExchanges(reader._exchanges, reader._wholeBytes, isCutOff);
    }

    private async Task<bool> ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        var (buffer, start, end) = (new byte[FirstBuffer], 0, 0);
        while (true)
        {
            if (end == buffer.Length)
            {
                (buffer, end, start) = (WithRoom(buffer, start), end - start, 0);
            }
            var read = await stream.ReadAsync(buffer.AsMemory(end, Math.Min(MostAtOnce, buffer.Length - end)), cancellationToken);
            if (read == 0)
            {
                return End(buffer.AsSpan(start, end - start));
            }
            start = TakeLines(buffer, start, end, end + read);
            end += read;
            if (end - start > RecordingFormat.MaxLineBytes)
            {
                _line++;
                throw Fault($"it is longer than {RecordingFormat.MaxLineBytes} bytes");
            }
        }
    }

    /// <summary>The line that is not whole yet in a buffer that has as much room again.</summary>
    private static byte[] WithRoom(byte[] buffer, int start)
    {
        var kept = buffer.AsSpan(start);
        var next = new byte[Math.Max(FirstBuffer, kept.Length * 2)];
        kept.CopyTo(next);
        return next;
    }

    /// <summary>Takes the whole lines; only what is new is searched for their ends. Gives where the next one begins.</summary>
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
            json = JsonElement.Parse(line, RecordingFormat.ReadOptions);
        }
        catch (JsonException exception)
        {
            throw _hasHeader ? Fault($"it is no JSON: {exception.Message}") : NoRecording();
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

    /// <summary>What follows the last line break: nothing, a line whose break an editor took away, or one that was not finished.</summary>
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
        return _hasHeader ? false : throw NoRecording();
    }

    private void CheckHeader(JsonElement json)
    {
        if (json.TextProperty("format") != RecordingFormat.Name)
        {
            throw NoRecording();
        }
        if (json.Property("version") is not { ValueKind: JsonValueKind.Number } version || !version.TryGetInt32(out var number) || number != RecordingFormat.Version)
        {
            throw new FaultException(
                FaultCodes.InvalidRecording, $"'{_name}' is a recording of version {JsonBytes.Display(json.Property("version") ?? default)}, and this program reads version {RecordingFormat.Version}",
                "replay it with the program that wrote it, or record anew");
        }
    }

    private RecordedExchange Exchange(JsonElement json)
    {
        if (json.TextProperty("kind") is not (ExchangeKinds.Model or ExchangeKinds.Tool)
            || json.TextProperty("hash") is not { } hash
            || json.Property("request") is not { ValueKind: JsonValueKind.Object } request
            || json.Property("response") is not { ValueKind: JsonValueKind.Object } response)
        {
            throw Fault("""it is no {"kind", "hash", "request", "response"}""");
        }
        var kind = json.TextProperty("kind")!;
        return CanonicalRequest.Of(kind, request).Hash == hash
            ? new RecordedExchange(kind, hash, request, response, _line)
            : throw Fault("its hash is not that of its request, which was changed by hand");
    }

    private FaultException NoRecording() => new(FaultCodes.InvalidRecording, $"'{_name}' is no recording: line 1 is no header", "name a file that --record made");

    private FaultException Fault(string what) =>
        new(FaultCodes.InvalidRecording, $"line {_line} of the recording '{_name}' is damaged: {what}", "mend or delete the line, or record anew");
}
