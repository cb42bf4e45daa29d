using System.Buffers;

namespace AgentExecutor.Core.Messaging;

/// <summary>
/// Checks URIs by the grammar of RFC 3986, to the letter where senders go wrong: characters, percent signs, the scheme, brackets. <see cref="Uri"/>
/// mends what it reads, so it cannot tell.
/// </summary>
internal static class UriText
{
    private const string Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    private static readonly SearchValues<char> Allowed = SearchValues.Create(Letters + "0123456789-._~:/?#[]@!$&'()*+,;=%");
    private static readonly SearchValues<char> Scheme = SearchValues.Create(Letters + "0123456789+-.");

    public static bool IsReference(string text) => text.Length > 0 && IsValid(text, out _);

    /// <summary>With a scheme and without a fragment (section 4.3).</summary>
    public static bool IsAbsolute(string text) => IsValid(text, out var hasScheme) && hasScheme && !text.Contains('#', StringComparison.Ordinal);

    private static bool IsValid(ReadOnlySpan<char> text, out bool hasScheme)
    {
        hasScheme = false;
        if (text.ContainsAnyExcept(Allowed) || !PercentsAreWhole(text) || text.Count('#') > 1)
        {
            return false;
        }
        var colon = text.IndexOf(':');
        var pathStart = text.IndexOfAny('/', '?', '#');
        if (colon >= 0 && (pathStart < 0 || colon < pathStart))
        {
            // A colon in the first segment can only end a scheme.
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

    private static bool BracketsHoldAHost(ReadOnlySpan<char> authority)
    {
        var host = authority[(authority.LastIndexOf('@') + 1)..];
        if (!authority.ContainsAny('[', ']'))
        {
            return true;
        }
        var close = host.IndexOf(']');
        return host.StartsWith("[") && close > 1 && authority.Count('[') == 1 && authority.Count(']') == 1
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
