namespace AgentExecutor.Core.Agents.Output;

/// <summary>
/// Finds the end of the reasoning that precedes a model's answer. Servers without support for reasoning leave it in the text, between tags.
/// Chat templates often write the first tag themselves, so that the text contains only the closing tag.
/// </summary>
internal static class ReasoningTags
{
    private static readonly string[] Names = ["think", "thinking", "thought", "reasoning"];

    /// <summary>Returns the text without the reasoning at its beginning.</summary>
    public static string Without(string text)
    {
        while (After(text) is { } rest)
        {
            text = rest;
        }
        return text;
    }

    /// <summary>Returns what follows the first block of reasoning; null if the text does not start with one.</summary>
    private static string? After(string text)
    {
        var trimmed = text.TrimStart();
        foreach (var name in Names)
        {
            var (opening, closing) = ($"<{name}>", $"</{name}>");
            var isOpened = trimmed.StartsWith(opening, StringComparison.OrdinalIgnoreCase);
            if (!isOpened && trimmed is [] or ['{' or '[' or '`', ..])
            {
                continue; // the answer has started, so anything that looks like a tag is part of it
            }
            var end = trimmed.IndexOf(closing, StringComparison.OrdinalIgnoreCase);
            if (end >= 0)
            {
                return trimmed[(end + closing.Length)..];
            }
            if (isOpened)
            {
                return AfterUnclosed(trimmed[opening.Length..]);
            }
        }
        return null;
    }

    /// <summary>
    /// Unclosed reasoning ends where a code fence or the JSON starts, that is at the first fence, or else at the last line that starts with
    /// a bracket.
    /// </summary>
    private static string AfterUnclosed(string text)
    {
        if (text.IndexOf("```", StringComparison.Ordinal) is >= 0 and var fence)
        {
            return text[fence..];
        }
        for (var at = text.LastIndexOf('\n'); at >= 0; at = at == 0 ? -1 : text.LastIndexOf('\n', at - 1))
        {
            if (text.AsSpan(at + 1) is ['{' or '[', ..])
            {
                return text[(at + 1)..];
            }
        }
        return text.IndexOfAny(['{', '[']) is >= 0 and var first ? text[first..] : text;
    }
}
