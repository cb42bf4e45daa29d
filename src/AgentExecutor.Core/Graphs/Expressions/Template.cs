using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Graphs.Expressions;

/// <summary>
/// JSON in which texts may hold <c>{{ expression }}</c>. A text that is one expression and nothing else becomes its value,
/// with its type; elsewhere the value is put into the text.
/// </summary>
public sealed class Template
{
    private readonly JsonElement _json;
    private readonly Dictionary<string, IReadOnlyList<Piece>> _texts = new(StringComparer.Ordinal);

    private Template(JsonElement json) => _json = json;

    /// <exception cref="ExpressionException">An expression in it cannot be read.</exception>
    public static Template Parse(JsonElement json)
    {
        var template = new Template(json);
        foreach (var text in JsonTexts.Of(json))
        {
            template._texts[text] = Split(text);
        }
        return template;
    }

    public JsonElement Fill(StateView state) => _texts.Values.All(pieces => pieces is [{ Expression: null }])
        ? _json
        : JsonTexts.Replace(_json, (writer, text) => WriteText(writer, _texts[text], state));

    private static void WriteText(Utf8JsonWriter writer, IReadOnlyList<Piece> pieces, StateView state)
    {
        if (pieces is [{ Expression: { } only }])
        {
            only.Evaluate(state).WriteTo(writer);
            return;
        }
        var filled = new StringBuilder();
        foreach (var piece in pieces)
        {
            filled.Append(piece.Expression is { } expression ? JsonBytes.Display(expression.Evaluate(state)) : piece.Text);
        }
        writer.WriteStringValue(filled.ToString());
    }

    private static List<Piece> Split(string text)
    {
        var pieces = new List<Piece>();
        var at = 0;
        while (text.IndexOf("{{", at, StringComparison.Ordinal) is >= 0 and var open)
        {
            var close = text.IndexOf("}}", open, StringComparison.Ordinal);
            if (close < 0)
            {
                throw new ExpressionException($"'{{{{' at character {open + 1} has no closing '}}}}'");
            }
            if (open > at)
            {
                pieces.Add(new Piece(text[at..open], null));
            }
            pieces.Add(new Piece("", Expression.Parse(text[(open + 2)..close].Trim())));
            at = close + 2;
        }
        if (at < text.Length || pieces.Count == 0)
        {
            pieces.Add(new Piece(text[at..], null));
        }
        return pieces;
    }

    private readonly record struct Piece(string Text, Expression? Expression);
}
