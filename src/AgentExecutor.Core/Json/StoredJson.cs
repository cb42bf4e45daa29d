using System.Text.Json;

namespace AgentExecutor.Core.Json;

/// <summary>
/// Reads JSON that this program wrote: checkpoints, pending writes, events and results. A value with <see cref="InputJson.MaxDepth"/>
/// levels is stored inside messages, commits and events, so documents can be nested more deeply than values. <see cref="JsonBytes"/> never
/// writes a document that is nested more deeply than this class reads.
/// </summary>
public static class StoredJson
{
    /// <summary>The maximum nesting depth of a document. It leaves room for everything that wraps the deepest value.</summary>
    public const int MaxDepth = 4 * InputJson.MaxDepth;

    /// <summary>The options for readers of single tokens.</summary>
    public static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = MaxDepth };

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = MaxDepth };

    /// <exception cref="JsonException">The text is not valid JSON.</exception>
    public static JsonElement Parse(ReadOnlySpan<byte> utf8) => JsonElement.Parse(utf8, Options);

    /// <exception cref="JsonException">The text is not valid JSON.</exception>
    public static JsonElement Parse(string text) => JsonElement.Parse(text, Options);
}
