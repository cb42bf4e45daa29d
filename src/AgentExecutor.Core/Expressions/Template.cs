using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Expressions;

/// <summary>
/// JSON whose strings can contain <c>{{ expression }}</c>. A string that consists of a single expression is replaced by the expression's
/// value, with its type. In other strings, the values are inserted as text.
/// </summary>
public sealed class Template
{
    private readonly JsonElement _json;
    private readonly Dictionary<string, IReadOnlyList<Piece>> _texts = new(StringComparer.Ordinal);

    private Template(JsonElement json) => _json = json;

    /// <exception cref="ExpressionException">An expression in the template cannot be parsed.</exception>
    public static Template Parse(JsonElement json)
    {
        var template = new Template(json);
        foreach (var text in JsonTexts.Of(json))
        {
            template._texts[text] = Split(text);
        }
        return template;
    }

    /// <exception cref="FaultException">The result would be nested too deeply to be stored
    /// (<see cref="FaultCodes.InvalidUpdate"/>).</exception>
    public JsonElement Fill(StateView state)
    {
        if (_texts.Values.All(pieces => pieces is [{ Expression: null }]))
        {
            return _json;
        }
        var filled = JsonTexts.Replace(_json, (writer, text) => WriteText(writer, _texts[text], state));
        return !InputJson.IsTooDeep(filled)
            ? filled
            : throw new FaultException(
                FaultCodes.InvalidUpdate,
                $"the value of {Shown()} {InputJson.TooDeep}",
                "do not wrap a value in itself, or keep only the part of it that is needed"
            );
    }

    private string Shown()
    {
        const int Longest = 200;
        var text = JsonBytes.Compact(_json);
        return text.Length <= Longest ? text : $"{WellFormedText.Start(text, Longest)}...";
    }

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
