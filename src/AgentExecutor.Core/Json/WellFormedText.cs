using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace AgentExecutor.Core.Json;

/// <summary>Handles text with unpaired surrogates, which no encoding can store.</summary>
public static class WellFormedText
{
    private const int EscapeLength = 6; // \uXXXX

    /// <summary>Returns the text with U+FFFD in place of each unpaired surrogate.</summary>
    public static string Of(string text) =>
        text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') ? Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) : text;

    /// <summary>Returns the first <paramref name="length"/> characters of the text at most, without splitting a surrogate pair.</summary>
    public static ReadOnlySpan<char> Start(ReadOnlySpan<char> text, int length) =>
        text.Length <= length ? text : text[..(length > 0 && char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];

    /// <summary>Returns <paramref name="at"/>, or the position before it if it is inside a surrogate pair.</summary>
    public static int StartOf(ReadOnlySpan<char> text, int at) => at > 0 && at < text.Length && char.IsLowSurrogate(text[at]) ? at - 1 : at;

    /// <summary>
    /// Returns the text of a JSON string, with U+FFFD in place of unpaired surrogates and of invalid UTF-8.
    /// <see cref="JsonElement.GetString"/> throws for both.
    /// </summary>
    public static string Of(JsonElement text) => Of(WithUnpairedSurrogates(text));

    /// <summary>
    /// Returns the text of a JSON string and keeps unpaired surrogates, because the other half may be at the start of the next piece.
    /// </summary>
    public static string WithUnpairedSurrogates(JsonElement text)
    {
        var raw = JsonMarshal.GetRawUtf8Value(text);
        var isPlain = raw.IndexOf("\\ud"u8) < 0 && raw.IndexOf("\\uD"u8) < 0 && Utf8.IsValid(raw);
        return isPlain ? text.GetString()! : Unescape(Encoding.UTF8.GetString(raw[1..^1]));
    }

    /// <summary>Unescapes the content of a JSON string that a parser has accepted.</summary>
    private static string Unescape(string inside)
    {
        var text = new StringBuilder(inside.Length);
        for (var at = 0; at < inside.Length; at++)
        {
            if (inside[at] != '\\' || at + 1 == inside.Length)
            {
                text.Append(inside[at]);
            }
            else if (Escape(inside, at) is { } unit)
            {
                text.Append(unit);
                at += EscapeLength - 1;
            }
            else
            {
                at++;
                text.Append(
                    inside[at] switch
                    {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        'b' => '\b',
                        'f' => '\f',
                        var other => other,
                    }
                );
            }
        }
        return text.ToString();
    }

    private static char? Escape(string json, int at) =>
        at + EscapeLength <= json.Length
        && json[at] == '\\'
        && json[at + 1] == 'u'
        && ushort.TryParse(json.AsSpan(at + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var unit)
            ? (char)unit
            : null;
}
