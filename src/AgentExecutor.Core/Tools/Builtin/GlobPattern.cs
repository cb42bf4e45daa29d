using System.Text;
using System.Text.RegularExpressions;

namespace AgentExecutor.Core.Tools.Builtin;

/// <summary>
/// Glob patterns over absolute paths: <c>*</c> and <c>?</c> match within a name, <c>**</c> across directories, and <c>{a,b}</c> lists
/// alternatives.
/// </summary>
internal static class GlobPattern
{
    private const int MaxLength = 512;

    /// <summary>
    /// Compiles a pattern; null if it is too long. A pattern without a slash matches names at any depth below <paramref name="root"/>.
    /// </summary>
    public static Regex? TryCompile(string pattern, string root = "/")
    {
        if (pattern.Length > MaxLength)
        {
            return null;
        }
        var rooted = pattern.StartsWith('/')
            ? pattern
            : (root == "/" ? "" : root) + (pattern.Contains('/', StringComparison.Ordinal) ? "/" : "/**/") + pattern;
        return new Regex($"^{Translate(rooted)}$", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
    }

    private static string Translate(string pattern)
    {
        var regex = new StringBuilder();
        var open = 0;
        for (var i = 0; i < pattern.Length; i++)
        {
            var rest = pattern.AsSpan(i);
            if (rest.StartsWith("**/"))
            {
                regex.Append("(?:[^/]*/)*");
                i += 2;
            }
            else if (rest.StartsWith("**"))
            {
                regex.Append(".*");
                i++;
            }
            else
            {
                regex.Append(
                    pattern[i] switch
                    {
                        '*' => "[^/]*",
                        '?' => "[^/]",
                        '{' => Open(ref open),
                        '}' when open > 0 => Close(ref open),
                        ',' when open > 0 => "|",
                        var other => Regex.Escape(other.ToString()),
                    }
                );
            }
        }
        return regex.Append(')', open).ToString();
    }

    private static string Open(ref int open)
    {
        open++;
        return "(?:";
    }

    private static string Close(ref int open)
    {
        open--;
        return ")";
    }
}
