using System.IO.Compression;
using AgentExecutor.Adapters.Connections;

namespace AgentExecutor.Adapters.Http;

/// <summary>The body of a tool's answer, decompressed and limited in size.</summary>
/// <param name="Bytes">The bytes that were read.</param>
/// <param name="IsCut">True if the body was longer than the limit.</param>
internal sealed record HttpAnswer(ReadOnlyMemory<byte> Bytes, bool IsCut)
{
    /// <summary>The supported encodings, as listed in <c>Accept-Encoding</c>.</summary>
    public const string AcceptedEncodings = "gzip, deflate, br";

    /// <exception cref="HttpAnswerException">The answer cannot be decompressed.</exception>
    public static async Task<HttpAnswer> ReadAsync(HttpResponseMessage response, int maxBytes, CancellationToken cancellationToken)
    {
        var encodings = response
            .Content.Headers.ContentEncoding.Where(it => !it.Equals("identity", StringComparison.OrdinalIgnoreCase))
            .Reverse()
            .ToList();
        await using var raw = await response.Content.ReadAsStreamAsync(cancellationToken);
        if (encodings.Count == 0)
        {
            return await ReadAsync(raw, maxBytes, cancellationToken);
        }
        if (encodings.Count > 3)
        {
            throw new HttpAnswerException($"the answer has {encodings.Count} content encodings, of which at most 3 are supported");
        }
        var stream = raw;
        try
        {
            foreach (var encoding in encodings)
            {
                stream = await DecompressAsync(stream, encoding, cancellationToken);
            }
            return await ReadAsync(stream, maxBytes, cancellationToken);
        }
        catch (Exception exception) when (exception is InvalidDataException or InvalidOperationException)
        {
            throw new HttpAnswerException(
                $"the answer has the encoding {string.Join(", ", encodings)} but cannot be decompressed: {exception.Message}"
            );
        }
        finally
        {
            await stream.DisposeAsync();
        }
    }

    private static async Task<Stream> DecompressAsync(Stream compressed, string encoding, CancellationToken cancellationToken) =>
        encoding.ToLowerInvariant() switch
        {
            "gzip" or "x-gzip" => new GZipStream(compressed, CompressionMode.Decompress),
            "br" => new BrotliStream(compressed, CompressionMode.Decompress),
            "deflate" => await InflateAsync(compressed, cancellationToken),
            _ => throw new HttpAnswerException($"the answer has the unsupported encoding '{encoding}'; supported are {AcceptedEncodings}"),
        };

    /// <summary>The label <c>deflate</c> means the zlib format, but some servers send the raw deflate format instead.</summary>
    private static async Task<Stream> InflateAsync(Stream compressed, CancellationToken cancellationToken)
    {
        var start = new byte[2];
        var read = await compressed.ReadAtLeastAsync(start, start.Length, throwOnEndOfStream: false, cancellationToken);
        var complete = new PrefixedStream(start.AsMemory(0, read), compressed);
        var isZlib = read == 2 && (start[0] & 0x0F) == 8 && ((start[0] << 8) | start[1]) % 31 == 0;
        return isZlib ? new ZLibStream(complete, CompressionMode.Decompress) : new DeflateStream(complete, CompressionMode.Decompress);
    }

    private static async Task<HttpAnswer> ReadAsync(Stream stream, int maxBytes, CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        var buffer = new byte[16 * 1024];
        int read;
        while ((read = await stream.ReadAsync(buffer, cancellationToken)) > 0)
        {
            var room = maxBytes - (int)body.Length;
            body.Write(buffer, 0, Math.Min(read, room));
            if (read > room)
            {
                return new HttpAnswer(body.ToArray(), IsCut: true);
            }
        }
        return new HttpAnswer(body.ToArray(), IsCut: false);
    }

    /// <summary>A stream that first returns bytes that were already read from it.</summary>
    private sealed class PrefixedStream(ReadOnlyMemory<byte> start, Stream rest) : ForwardStream(rest)
    {
        private ReadOnlyMemory<byte> _start = start;

        public override int Read(Span<byte> buffer) => _start.IsEmpty ? Inner.Read(buffer) : ReadStart(buffer);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            _start.IsEmpty ? Inner.ReadAsync(buffer, cancellationToken) : ValueTask.FromResult(ReadStart(buffer.Span));

        private int ReadStart(Span<byte> buffer)
        {
            var count = Math.Min(buffer.Length, _start.Length);
            _start.Span[..count].CopyTo(buffer);
            _start = _start[count..];
            return count;
        }
    }
}

/// <summary>The tool answered, but the answer cannot be passed to the model as text. Repeating the call would not help.</summary>
internal sealed class HttpAnswerException(string message) : Exception(message);
