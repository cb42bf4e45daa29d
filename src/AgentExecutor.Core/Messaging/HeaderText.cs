using System.Buffers;
using System.Text;

namespace AgentExecutor.Core.Messaging;

/// <summary>Values of <c>ce-</c> headers, by section 3.1.3.2 of the HTTP binding, which the NATS binding repeats.</summary>
internal static class HeaderText
{
    private const int FirstPlain = 0x21;
    private const int LastPlain = 0x7E;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Every character that the binding names is percent-encoded as UTF-8, with upper-case digits.</summary>
    public static string Encode(string value)
    {
        if (!value.AsSpan().ContainsAnyExceptInRange((char)FirstPlain, (char)LastPlain) && value.AsSpan().IndexOfAny('"', '%') < 0)
        {
            return value;
        }
        var text = new StringBuilder(value.Length + 16);
        foreach (var unit in Encoding.UTF8.GetBytes(value))
        {
            if (unit is >= FirstPlain and <= LastPlain and not ((byte)'"' or (byte)'%'))
            {
                text.Append((char)unit);
            }
            else
            {
                text.Append('%').Append(Convert.ToHexString([unit]));
            }
        }
        return text.ToString();
    }

    /// <summary>Takes quotes off, then decodes percent signs once.</summary>
    /// <param name="fault">What is wrong with it, where it cannot be read.</param>
    public static string? Decode(string header, out string? fault)
    {
        fault = null;
        var trimmed = header.Trim(' ', '\t');
        var text = trimmed.Contains('"', StringComparison.Ordinal) ? Unquote(trimmed) : trimmed;
        if (text is null)
        {
            fault = "it has a quote that does not end";
            return null;
        }
        if (!text.Contains('%', StringComparison.Ordinal))
        {
            return text;
        }
        var bytes = DecodePercents(text);
        if (bytes is null)
        {
            fault = "it has a % without two hexadecimal digits";
            return null;
        }
        try
        {
            return Strict.GetString(bytes.WrittenSpan);
        }
        catch (DecoderFallbackException)
        {
            fault = "its percent-encoded bytes are not UTF-8";
            return null;
        }
    }

    private static string? Unquote(string text)
    {
        var plain = new StringBuilder(text.Length);
        var isQuoted = false;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '"')
            {
                isQuoted = !isQuoted;
            }
            else if (isQuoted && text[i] == '\\')
            {
                if (++i == text.Length)
                {
                    return null;
                }
                plain.Append(text[i]);
            }
            else
            {
                plain.Append(text[i]);
            }
        }
        return isQuoted ? null : plain.ToString();
    }

    private static ArrayBufferWriter<byte>? DecodePercents(ReadOnlySpan<char> text)
    {
        var bytes = new ArrayBufferWriter<byte>(text.Length);
        for (var at = text.IndexOf('%'); at >= 0; at = text.IndexOf('%'))
        {
            if (at + 2 >= text.Length || !char.IsAsciiHexDigit(text[at + 1]) || !char.IsAsciiHexDigit(text[at + 2]))
            {
                return null;
            }
            Encoding.UTF8.GetBytes(text[..at], bytes);
            bytes.Write(Convert.FromHexString(text.Slice(at + 1, 2)));
            text = text[(at + 3)..];
        }
        Encoding.UTF8.GetBytes(text, bytes);
        return bytes;
    }
}
