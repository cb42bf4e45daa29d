using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// Assembles a text whose pieces can end in the middle of a surrogate pair. The first half waits for the second one; an unpaired surrogate
/// becomes U+FFFD.
/// </summary>
internal sealed class TextPieces
{
    private string _pending = "";

    /// <summary>Adds a piece and returns the text that is complete so far.</summary>
    public string Take(string piece)
    {
        var text = _pending + piece;
        _pending = text is [.., var last] && char.IsHighSurrogate(last) ? text[^1..] : "";
        return WellFormedText.Of(text[..^_pending.Length]);
    }

    /// <summary>Returns the rest at the end.</summary>
    public string End()
    {
        var rest = WellFormedText.Of(_pending);
        _pending = "";
        return rest;
    }
}
