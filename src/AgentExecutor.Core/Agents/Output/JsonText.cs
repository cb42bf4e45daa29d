namespace AgentExecutor.Core.Agents.Output;

/// <summary>Extracts the JSON from a model's answer. Many models put it in a code fence, some with text around it.</summary>
internal static class JsonText
{
    private const string Fence = "```";

    /// <summary>Returns the JSON part of the text. The work is linear in the length of the text, whatever a model writes.</summary>
    public static string Bare(string text)
    {
        var trimmed = ReasoningTags.Without(text).Trim();
        return trimmed is ['{' or '[', ..] ? trimmed : Fenced(trimmed) ?? trimmed;
    }

    /// <summary>Returns the content of the first code fence, or null if there is none.</summary>
    private static string? Fenced(string text)
    {
        for (var at = text.IndexOf(Fence, StringComparison.Ordinal); at >= 0; at = text.IndexOf(Fence, at + 1, StringComparison.Ordinal))
        {
            if (ContentAfter(text, at + Fence.Length) is { } start)
            {
                var end = text.IndexOf(Fence, start, StringComparison.Ordinal);
                return end >= 0 ? text[start..end].Trim() : null;
            }
        }
        return null;
    }

    /// <summary>
    /// Returns the position at which the content of a fence starts, after the name of a language; null if the text is not the start of a
    /// fence.
    /// </summary>
    private static int? ContentAfter(string text, int at)
    {
        while (at < text.Length && char.IsAsciiLetter(text[at]))
        {
            at++;
        }
        while (at < text.Length && text[at] is ' ' or '\t' or '\r')
        {
            at++;
        }
        return at < text.Length && text[at] == '\n' ? at + 1 : null;
    }
}
