using System.Net.Http.Headers;
using System.Text;
using System.Text.Unicode;

namespace AgentExecutor.Adapters.Http;

/// <summary>Decodes the bytes of an answer: by a byte order mark, or by the charset of its content type, or else as UTF-8.</summary>
internal static class AnswerText
{
    /// <summary>The maximum number of bytes of an incomplete UTF-8 character at the end of a cut answer.</summary>
    private const int MaxIncompleteBytes = 3;

    /// <exception cref="HttpAnswerException">The charset is unknown, or the answer is not text.</exception>
    public static string Read(HttpAnswer answer, MediaTypeHeaderValue? type)
    {
        var bytes = answer.Bytes.Span;
        var (encoding, mark) = EncodingOf(bytes, answer.IsCut, type);
        var decoder = encoding.GetDecoder();
        var characters = new char[encoding.GetMaxCharCount(bytes.Length - mark)];
        // Without a flush, an incomplete character at the end of a cut answer is dropped.
        var count = decoder.GetChars(bytes[mark..], characters, flush: !answer.IsCut);
        return new string(characters, 0, count);
    }

    private static (Encoding Encoding, int Mark) EncodingOf(ReadOnlySpan<byte> bytes, bool isCut, MediaTypeHeaderValue? type)
    {
        if (Marked(bytes) is { } marked)
        {
            return marked;
        }
        var charset = type?.CharSet?.Trim().Trim('"', '\'').Trim();
        if (charset is { Length: > 0 })
        {
            return (Named(charset, bytes) ?? throw new HttpAnswerException($"the answer's charset '{charset}' is unknown"), 0);
        }
        if (bytes.Contains((byte)0) || IsBinary(type?.MediaType))
        {
            throw new HttpAnswerException(
                $"the answer has the type {type?.MediaType ?? "(none)"} and {bytes.Length} bytes; it is not text and cannot be shown"
            );
        }
        var isUtf8 = Utf8.IsValid(isCut ? bytes[..EndOfLastCharacter(bytes)] : bytes);
        // Text that is not UTF-8 and has no charset is usually old, and most often in Windows-1252.
        return (isUtf8 ? new UTF8Encoding(false) : CodePagesEncodingProvider.Instance.GetEncoding(1252)!, 0);
    }

    private static (Encoding, int)? Marked(ReadOnlySpan<byte> bytes) =>
        bytes switch
        {
            [0xEF, 0xBB, 0xBF, ..] => (Encoding.UTF8, 3),
            [0xFF, 0xFE, 0, 0, ..] => (Encoding.UTF32, 4),
            [0xFF, 0xFE, ..] => (Encoding.Unicode, 2),
            [0xFE, 0xFF, ..] => (Encoding.BigEndianUnicode, 2),
            _ => null,
        };

    private static Encoding? Named(string charset, ReadOnlySpan<byte> bytes)
    {
        switch (charset.ToLowerInvariant())
        {
            case "utf8" or "us-ascii" or "ascii":
                // ASCII is a subset of UTF-8.
                return Encoding.UTF8;
            case "utf-16" or "utf16" or "ucs-2":
                return bytes is [0, not 0, ..] ? Encoding.BigEndianUnicode : Encoding.Unicode;
            case "utf16le":
                return Encoding.Unicode;
            case "utf16be":
                return Encoding.BigEndianUnicode;
            case "latin1" or "latin-1":
                return Encoding.Latin1;
        }
        try
        {
            return CodePagesEncodingProvider.Instance.GetEncoding(charset) ?? Encoding.GetEncoding(charset);
        }
        catch (Exception exception) when (exception is ArgumentException or NotSupportedException)
        {
            return null;
        }
    }

    private static bool IsBinary(string? media)
    {
        var (family, kind) = media?.Split('/') is [var first, var second]
            ? (first.ToLowerInvariant(), second.ToLowerInvariant())
            : ("", "");
        return family is "image" or "audio" or "video" or "font"
            ? !kind.EndsWith("+xml", StringComparison.Ordinal)
            : family == "application"
                && kind
                    is "octet-stream"
                        or "pdf"
                        or "zip"
                        or "gzip"
                        or "x-tar"
                        or "x-7z-compressed"
                        or "wasm"
                        or "protobuf"
                        or "x-protobuf";
    }

    /// <summary>Returns the end of the last complete UTF-8 character, for bytes whose end was cut off.</summary>
    private static int EndOfLastCharacter(ReadOnlySpan<byte> bytes)
    {
        for (var back = 1; back <= Math.Min(MaxIncompleteBytes, bytes.Length); back++)
        {
            var unit = bytes[^back];
            if ((unit & 0xC0) != 0x80)
            {
                // A character that starts here may be incomplete.
                return unit < 0x80 ? bytes.Length : bytes.Length - back;
            }
        }
        return bytes.Length;
    }
}
