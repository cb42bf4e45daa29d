using System.Buffers;
using System.Text;

namespace AgentExecutor.Core.Messaging;

/// <summary>
/// Checks URIs against the grammar of RFC 3986, strictly where senders make mistakes: characters, percent signs, the scheme and brackets.
/// <see cref="Uri"/> corrects what it reads, so it cannot be used for this check. Characters beyond ASCII are allowed where RFC 3987 (IRIs)
/// allows them, and are kept as they were sent.
/// </summary>
internal static class UriText
{
    private const string Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    private static readonly SearchValues<char> Allowed = SearchValues.Create(Letters + "0123456789-._~:/?#[]@!$&'()*+,;=%");
    private static readonly SearchValues<char> Scheme = SearchValues.Create(Letters + "0123456789+-.");

    public static bool IsReference(string text) => text.Length > 0 && IsValid(text, out _);

    /// <summary>Returns true for a URI with a scheme and without a fragment (section 4.3).</summary>
    public static bool IsAbsolute(string text) =>
        IsValid(text, out var hasScheme) && hasScheme && !text.Contains('#', StringComparison.Ordinal);

    private static bool IsValid(ReadOnlySpan<char> text, out bool hasScheme)
    {
        hasScheme = false;
        if (!HasAllowedCharacters(text) || !PercentsAreWhole(text) || text.Count('#') > 1)
        {
            return false;
        }
        var colon = text.IndexOf(':');
        var pathStart = text.IndexOfAny('/', '?', '#');
        if (colon >= 0 && (pathStart < 0 || colon < pathStart))
        {
            // A colon in the first segment can only end the scheme.
            if (colon == 0 || !char.IsAsciiLetter(text[0]) || text[..colon].ContainsAnyExcept(Scheme))
            {
                return false;
            }
            hasScheme = true;
            text = text[(colon + 1)..];
        }
        if (text.StartsWith("//"))
        {
            text = text[2..];
            var end = text.IndexOfAny('/', '?', '#');
            var authority = end < 0 ? text : text[..end];
            text = end < 0 ? [] : text[end..];
            if (!BracketsHoldAHost(authority))
            {
                return false;
            }
        }
        return !text.ContainsAny('[', ']');
    }

    private static bool HasAllowedCharacters(ReadOnlySpan<char> text)
    {
        var first = text.IndexOfAnyExcept(Allowed);
        if (first < 0)
        {
            return true;
        }
        // An unpaired surrogate is enumerated as U+FFFD, which is not allowed in an IRI.
        foreach (var rune in text[first..].EnumerateRunes())
        {
            if (rune.IsAscii ? !Allowed.Contains((char)rune.Value) : !IsInternational(rune))
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>
    /// The characters of RFC 3987 (section 2.2), without white space and without characters that change the writing direction (section
    /// 4.1), which could make one text look like another.
    /// </summary>
    private static bool IsInternational(Rune rune) =>
        rune.Value is (>= 0xA0 and <= 0xD7FF) or (>= 0xF900 and <= 0xFDCF) or (>= 0xFDF0 and <= 0xFFEF) or (>= 0x10000 and <= 0xEFFFD)
        && (rune.Value & 0xFFFF) < 0xFFFE
        && !Rune.IsWhiteSpace(rune)
        && rune.Value is not (0x200E or 0x200F or (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069));

    private static bool BracketsHoldAHost(ReadOnlySpan<char> authority)
    {
        var host = authority[(authority.LastIndexOf('@') + 1)..];
        if (!authority.ContainsAny('[', ']'))
        {
            return true;
        }
        var close = host.IndexOf(']');
        return host.StartsWith("[")
            && close > 1
            && authority.Count('[') == 1
            && authority.Count(']') == 1
            && (close == host.Length - 1 || host[close + 1] == ':');
    }

    private static bool PercentsAreWhole(ReadOnlySpan<char> text)
    {
        for (var at = text.IndexOf('%'); at >= 0; at = text.IndexOf('%'))
        {
            if (at + 2 >= text.Length || !char.IsAsciiHexDigit(text[at + 1]) || !char.IsAsciiHexDigit(text[at + 2]))
            {
                return false;
            }
            text = text[(at + 3)..];
        }
        return true;
    }
}
