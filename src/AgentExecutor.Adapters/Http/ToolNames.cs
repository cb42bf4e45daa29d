using System.Security.Cryptography;
using System.Text;

namespace AgentExecutor.Adapters.Http;

/// <summary>The names under which models know the tools of a definition that stands for several.</summary>
internal static class ToolNames
{
    /// <summary>The longest name that all model servers accept.</summary>
    private const int MaxLength = 64;

    private const int HashLength = 8;

    /// <summary>
    /// Returns the prefix and the name, in which characters that model servers do not accept are replaced. A name that is changed by this
    /// or too long ends with a hash of the original, so that two tools never have the same name.
    /// </summary>
    public static string Of(string prefix, string tool)
    {
        var plain = string.Concat(tool.Select(it => char.IsAsciiLetterOrDigit(it) || it is '_' or '-' ? it : '_'));
        if (plain == tool && prefix.Length + plain.Length <= MaxLength)
        {
            return prefix + plain;
        }
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(tool)))[..HashLength];
        return $"{prefix}{plain[..Math.Min(plain.Length, MaxLength - prefix.Length - HashLength - 1)]}_{hash}";
    }

    /// <summary>Returns true if a pattern is the name, or ends with <c>*</c> and is its beginning otherwise.</summary>
    public static bool Matches(string pattern, string tool) =>
        pattern.EndsWith('*') ? tool.StartsWith(pattern[..^1], StringComparison.Ordinal) : pattern == tool;
}
