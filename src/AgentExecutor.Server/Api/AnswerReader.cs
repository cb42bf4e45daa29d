using System.Text.Json;
using System.Text.Unicode;
using AgentExecutor.Core;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Threads;

namespace AgentExecutor.Server.Api;

/// <summary>Reads the body of a request to resume a thread: empty, <c>{"answer": ...}</c>, <c>{"answers": {ID: ...}}</c>, or
/// <c>{"answers": [{interrupt_id, decision, ...}]}</c>.</summary>
internal static class AnswerReader
{
    private const string Hint =
        """send {"answer": ...}, or {"answers": {"INTERRUPT_ID": ...}}, or {"answers": [{"interrupt_id", "decision"}]}""";

    /// <returns>The answers by interrupt id. The id <c>""</c> means the only open interrupt.</returns>
    /// <exception cref="FaultException"><see cref="FaultCodes.InvalidAnswer"/>.</exception>
    public static IReadOnlyDictionary<string, JsonElement> Read(ReadOnlyMemory<byte> body)
    {
        if (body.IsEmpty)
        {
            return new Dictionary<string, JsonElement>();
        }
        var json = Parse(body);
        return json.ValueKind != JsonValueKind.Object ? throw Fault("the body is not a JSON object")
            : json.Property("answer") is { } only
                ? json.Property("answers") is null ? Only(only)
                    : throw Fault("the body has both 'answer' and 'answers'")
            : json.Property("answers") is { } answers ? ReadAll(answers)
            : !json.EnumerateObject().Any() ? new Dictionary<string, JsonElement>()
            : throw Fault("the body has neither 'answer' nor 'answers'");
    }

    /// <summary>Parses a body.</summary>
    /// <exception cref="FaultException">The body is not valid JSON.</exception>
    public static JsonElement Parse(ReadOnlyMemory<byte> body) =>
        Utf8.IsValid(body.Span) && !HasLoneSurrogate(body.Span)
            ? InputJson.Parse(body.Span, isStrict: true)
            : throw Fault("the body is not valid JSON in UTF-8");

    private static Dictionary<string, JsonElement> Only(JsonElement answer) => new(StringComparer.Ordinal) { [""] = answer };

    private static IReadOnlyDictionary<string, JsonElement> ReadAll(JsonElement answers) =>
        answers.ValueKind == JsonValueKind.Array ? AnswerList.Read(answers)
        : answers.ValueKind == JsonValueKind.Object
            ? answers.EnumerateObject().ToDictionary(it => it.Name, it => it.Value, StringComparer.Ordinal)
        : throw Fault("'answers' is neither a JSON object nor a list");

    /// <summary>
    /// Returns true if a string contains half of a surrogate pair as an escape sequence. This is valid JSON, but code that reads the answer
    /// later could not convert it to a string.
    /// </summary>
    /// <exception cref="FaultException">The body is not valid JSON.</exception>
    private static bool HasLoneSurrogate(ReadOnlySpan<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body);
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName)
                {
                    _ = reader.GetString();
                }
            }
            _ = InputJson.Parse(body, isStrict: true);
            return false;
        }
        catch (JsonException exception)
        {
            throw Fault($"the body is not valid JSON: {exception.Message}");
        }
        catch (InvalidOperationException)
        {
            return true;
        }
    }

    private static FaultException Fault(string message) => new(FaultCodes.InvalidAnswer, message, Hint);
}
