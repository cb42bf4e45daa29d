using System.Text.RegularExpressions;
using AgentExecutor.Core;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>Removes keys from the messages of servers: the configured keys, and everything that looks like a key.</summary>
internal sealed partial class KeyMask
{
    /// <summary>The number of characters of a server's message that are passed on.</summary>
    public const int MaxLength = 1_000;

    private readonly string[] _keys;

    public KeyMask(ModelServerSettings settings)
        : this(settings.OpenaiApiKey, settings.AnthropicApiKey, settings.OllamaApiKey, settings.OpenaiCompatibleApiKey) { }

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
        // Longer keys are replaced first, because a key can be the start of another one.
        _keys = [.. known.OrderByDescending(key => key.Length)];
    }

    /// <summary>Returns the text without keys, cut to <see cref="MaxLength"/> characters.</summary>
    public string Clean(string text)
    {
        var clean = text.Length > MaxLength * 8 ? text[..(MaxLength * 8)] : text;
        foreach (var key in _keys)
        {
            clean = clean.Replace(key, "***", StringComparison.OrdinalIgnoreCase);
        }
        clean = Shapes().Replace(clean, match => $"{match.Groups["before"].Value}***").Replace('\0', '\uFFFD').Trim();
        return WellFormedText.Of(clean.Length > MaxLength ? clean[..MaxLength] + "..." : clean);
    }

    [GeneratedRegex(
        """(?<before>\bbearer\s+|\b(?:x-api-key|api[-_ ]key)["']?\s*[:=]\s*["']?)[^\s"',;<>]+|\bsk-[\w*-]{4,}""",
        RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture
    )]
    private static partial Regex Shapes();
}
