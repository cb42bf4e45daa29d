using System.Buffers;

namespace AgentExecutor.Core.Messaging;

/// <summary>The rules of CloudEvents 1.0 for the names and texts of attributes.</summary>
internal static class AttributeText
{
    private static readonly SearchValues<char> Names = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789");

    /// <summary>Returns true for lower-case ASCII letters and digits. The specification only recommends at most 20 of them.</summary>
    public static bool IsName(string name) => name.Length > 0 && name is not "data" && !name.AsSpan().ContainsAnyExcept(Names);

    /// <summary>
    /// Returns the first character that a text must not contain (a control character, half of a surrogate pair or a non-character), or
    /// null.
    /// </summary>
    public static string? Forbidden(string text)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange(' ', '~'))
        {
            return null;
        }
        for (var i = 0; i < text.Length; i++)
        {
            int point = text[i];
            if (char.IsSurrogate(text[i]))
            {
                if (!char.IsHighSurrogate(text[i]) || i + 1 == text.Length || !char.IsLowSurrogate(text[i + 1]))
                {
                    return $"U+{point:X4}";
                }
                point = char.ConvertToUtf32(text[i], text[++i]);
            }
            if (point is < 0x20 or (>= 0x7F and <= 0x9F) or (>= 0xFDD0 and <= 0xFDEF) || (point & 0xFFFE) == 0xFFFE)
            {
                return $"U+{point:X4}";
            }
        }
        return null;
    }
}
