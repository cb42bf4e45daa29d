namespace AgentExecutor.Core.Agents.Output;

/// <summary>Finds the JSON in what a model wrote: many put it into a code fence, some with words around it.</summary>
internal static class JsonText
{
    private const string Mark = "```";

    /// <summary>Linear in the length of the text, whatever a model writes.</summary>
    public static string Bare(string text)
    {
        var trimmed = text.Trim();
        return trimmed is ['{' or '[', ..] ? trimmed : Fenced(trimmed) ?? trimmed;
    }

    /// <summary>What stands in the first fence; null where there is none.</summary>
    private static string? Fenced(string text)
    {
        for (var at = text.IndexOf(Mark, StringComparison.Ordinal); at >= 0; at = text.IndexOf(Mark, at + 1, StringComparison.Ordinal))
        {
            if (ContentAfter(text, at + Mark.Length) is { } start)
            {
                var end = text.IndexOf(Mark, start, StringComparison.Ordinal);
                return end >= 0 ? text[start..end].Trim() : null;
            }
        }
        return null;
    }

    /// <summary>Where the lines of a fence begin, after the name of a language; null where it opens none.</summary>
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
