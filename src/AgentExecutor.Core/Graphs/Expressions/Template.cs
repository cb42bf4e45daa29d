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
        template.Collect(json);
        return template;
    }

    public JsonElement Fill(StateView state) => _texts.Values.All(pieces => pieces is [{ Expression: null }])
        ? _json
        : JsonBytes.Element((this, state), static (writer, it) => it.Item1.Write(writer, it.Item1._json, it.state));

    private void Collect(JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.String:
                var text = json.GetString()!;
                _texts[text] = Split(text);
                break;
            case JsonValueKind.Array:
                foreach (var item in json.EnumerateArray())
                {
                    Collect(item);
                }
                break;
            case JsonValueKind.Object:
                foreach (var property in json.EnumerateObject())
                {
                    Collect(property.Value);
                }
                break;
        }
    }

    private void Write(Utf8JsonWriter writer, JsonElement json, StateView state)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.String:
                WriteText(writer, _texts[json.GetString()!], state);
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (var item in json.EnumerateArray())
                {
                    Write(writer, item, state);
                }
                writer.WriteEndArray();
                break;
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (var property in json.EnumerateObject())
                {
                    writer.WritePropertyName(property.Name);
                    Write(writer, property.Value, state);
                }
                writer.WriteEndObject();
                break;
            default:
                json.WriteTo(writer);
                break;
        }
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
