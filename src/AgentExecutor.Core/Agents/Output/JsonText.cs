using System.Text.RegularExpressions;

namespace AgentExecutor.Core.Agents.Output;

/// <summary>Finds the JSON in what a model wrote: many put it into a code fence, some with words around it.</summary>
internal static partial class JsonText
{
    public static string Bare(string text)
    {
        var trimmed = text.Trim();
        return trimmed is ['{' or '[', ..] ? trimmed
            : Fence().Match(trimmed) is { Success: true } fence ? fence.Groups[1].Value
            : trimmed;
    }

    [GeneratedRegex(@"```[a-zA-Z]*[ \t]*\r?\n(.*?)\r?\n?[ \t]*```", RegexOptions.Singleline, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Fence();
}
