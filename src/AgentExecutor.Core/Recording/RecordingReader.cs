using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Recording;

/// <summary>Reads recordings, line by line. A last line that a killed program did not finish is left out, and said to be.</summary>
/// <param name="name">What errors call the file.</param>
public sealed class RecordingReader(string name)
{
    private readonly List<RecordedExchange> _exchanges = [];
    private bool _hasHeader;
    private long _wholeBytes;
    private int _line;

    /// <exception cref="FaultException"><see cref="FaultCodes.InvalidRecording"/>: it is none, or a line of it is damaged; the message names the line.</exception>
    public static async Task<RecordedExchanges> ReadAsync(Stream stream, string name, CancellationToken cancellationToken)
    {
        var reader = new RecordingReader(name);
        var isCutOff = await reader.ReadAsync(stream, cancellationToken);
        return new RecordedExchanges(reader._exchanges, reader._wholeBytes, isCutOff);
    }

    private async Task<bool> ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        var pipe = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 64 * 1024, leaveOpen: true));
        try
        {
            while (true)
            {
                var result = await pipe.ReadAsync(cancellationToken);
                var rest = Take(result.Buffer);
                if (result.IsCompleted)
                {
                    return End(rest);
                }
                if (rest.Length > RecordingFormat.MaxLineBytes)
                {
                    _line++;
                    throw Fault($"it is longer than {RecordingFormat.MaxLineBytes} bytes");
                }
                pipe.AdvanceTo(rest.Start, rest.End);
            }
        }
        finally
        {
            await pipe.CompleteAsync();
        }
    }

    /// <summary>Takes whole lines; gives what is left.</summary>
    private ReadOnlySequence<byte> Take(ReadOnlySequence<byte> buffer)
    {
        while (buffer.PositionOf((byte)'\n') is { } end)
        {
            var line = buffer.Slice(0, end);
            _line++;
            Take(line.ToArray());
            _wholeBytes += line.Length + 1;
            buffer = buffer.Slice(buffer.GetPosition(1, end));
        }
        return buffer;
    }

    private void Take(byte[] line)
    {
        if (line.AsSpan().Trim(" \t\r"u8).IsEmpty && _hasHeader)
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
    private bool End(ReadOnlySequence<byte> rest)
    {
        if (!rest.IsEmpty)
        {
            _line++;
            try
            {
                Take(rest.ToArray());
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
                FaultCodes.InvalidRecording, $"'{name}' is a recording of version {JsonBytes.Display(json.Property("version") ?? default)}, and this program reads version {RecordingFormat.Version}",
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

    private FaultException NoRecording() => new(FaultCodes.InvalidRecording, $"'{name}' is no recording: line 1 is no header", "name a file that --record made");

    private FaultException Fault(string what) =>
        new(FaultCodes.InvalidRecording, $"line {_line} of the recording '{name}' is damaged: {what}", "mend or delete the line, or record anew");
}
