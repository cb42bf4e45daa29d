using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace AgentExecutor.Core.Messaging;

/// <summary>
/// Encodes and decodes the values of <c>ce-</c> headers as defined in section 3.1.3.2 of the HTTP binding, which the NATS binding repeats.
/// </summary>
internal static class HeaderText
{
    private const int FirstPlain = 0x21;
    private const int LastPlain = 0x7E;

    /// <summary>Percent-encodes every character that the binding lists as UTF-8 with upper-case digits.</summary>
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

    /// <summary>
    /// Removes quotes and then decodes percent signs once. Not every sender encodes, so an unterminated quote, a percent sign without two
    /// hexadecimal digits, and digits that do not form UTF-8 are kept as they are.
    /// </summary>
    public static string Decode(string header)
    {
        var trimmed = header.Trim(' ', '\t');
        var text = (trimmed.Contains('"', StringComparison.Ordinal) ? Unquote(trimmed) : trimmed) ?? trimmed;
        if (!text.Contains('%', StringComparison.Ordinal))
        {
            return text;
        }
        var bytes = DecodePercents(text);
        return Utf8.IsValid(bytes.WrittenSpan) ? Encoding.UTF8.GetString(bytes.WrittenSpan) : text;
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

    private static ArrayBufferWriter<byte> DecodePercents(ReadOnlySpan<char> text)
    {
        var bytes = new ArrayBufferWriter<byte>(text.Length);
        for (var at = text.IndexOf('%'); at >= 0; at = text.IndexOf('%'))
        {
            var isByte = at + 2 < text.Length && char.IsAsciiHexDigit(text[at + 1]) && char.IsAsciiHexDigit(text[at + 2]);
            Encoding.UTF8.GetBytes(isByte ? text[..at] : text[..(at + 1)], bytes);
            if (isByte)
            {
                bytes.Write(Convert.FromHexString(text.Slice(at + 1, 2)));
            }
            text = text[(isByte ? at + 3 : at + 1)..];
        }
        Encoding.UTF8.GetBytes(text, bytes);
        return bytes;
    }
}
