using System.Text.RegularExpressions;
using AgentExecutor.Core;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>Takes keys out of what servers say: the configured ones wherever they stand, and whatever looks like one.</summary>
internal sealed partial class KeyMask
{
    /// <summary>Characters of a server's words that are passed on.</summary>
    public const int Longest = 1_000;

    private readonly string[] _keys;

    public KeyMask(ModelServerSettings settings) : this(
        settings.OpenaiApiKey, settings.AnthropicApiKey, settings.OllamaApiKey, settings.OpenaiCompatibleApiKey)
    {
    }

    private KeyMask(params ReadOnlySpan<Secret> keys)
    {
        var known = new List<string>();
        foreach (var key in keys)
        {
            if (key.Value?.Trim() is { Length: > 0 } text)
            {
                known.Add(text);
            }
        }
        _keys = [.. known.OrderByDescending(key => key.Length)]; // one may begin with another
    }

    /// <summary>The text without keys, and cut to <see cref="Longest"/>.</summary>
    public string Clean(string text)
    {
        var clean = text.Length > Longest * 8 ? text[..(Longest * 8)] : text;
        foreach (var key in _keys)
        {
            clean = clean.Replace(key, "***", StringComparison.OrdinalIgnoreCase);
        }
        clean = Shapes().Replace(clean, match => $"{match.Groups["before"].Value}***").Trim();
        return clean.Length > Longest ? clean[..Longest] + "..." : clean;
    }

    [GeneratedRegex("""(?<before>\bbearer\s+|\b(?:x-api-key|api[-_ ]key)["']?\s*[:=]\s*["']?)[^\s"',;<>]+|\bsk-[\w*-]{4,}""", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex Shapes();
}
