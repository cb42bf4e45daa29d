using System.Text;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// Finds the end of a JSON object or array that arrives in pieces. It only considers brackets and quotes; a parser checks the JSON
/// afterwards.
/// </summary>
internal sealed class JsonScanner
{
    private readonly StringBuilder _json = new();
    private int _depth;
    private bool _isInText,
        _isEscaped;

    /// <summary>True if a value has started and is not complete.</summary>
    public bool IsOpen => _json.Length > 0;

    public static bool Begins(ReadOnlySpan<char> text) => text is ['{' or '[', ..];

    /// <summary>Returns the value if this piece completes it; otherwise null.</summary>
    /// <param name="piece">The next characters. The first piece starts with a bracket.</param>
    /// <param name="rest">The characters that follow the value.</param>
    public string? Take(ReadOnlyMemory<char> piece, out ReadOnlyMemory<char> rest)
    {
        var characters = piece.Span;
        for (var at = 0; at < characters.Length; at++)
        {
            if (Ends(characters[at]))
            {
                var value = _json.Append(characters[..(at + 1)]).ToString();
                _json.Clear();
                rest = piece[(at + 1)..];
                return value;
            }
        }
        _json.Append(characters);
        rest = default;
        return null;
    }

    private bool Ends(char character)
    {
        if (_isInText)
        {
            _isInText = _isEscaped || character != '"';
            _isEscaped = !_isEscaped && character == '\\';
            return false;
        }
        _isInText = character == '"';
        _depth +=
            character is '{' or '[' ? 1
            : character is '}' or ']' ? -1
            : 0;
        return character is '}' or ']' && _depth == 0;
    }
}
