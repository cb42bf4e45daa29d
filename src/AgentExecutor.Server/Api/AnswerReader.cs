using System.Text.Json;
using System.Text.Unicode;
using AgentExecutor.Core;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Server.Api;

/// <summary>Reads the body of a resumption: nothing, <c>{"answer": ...}</c>, or <c>{"answers": {ID: ...}}</c>.</summary>
internal static class AnswerReader
{
    private const string Hint = """send {"answer": ...}, or {"answers": {"INTERRUPT_ID": ...}}""";

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <returns>By interrupt id; the id <c>""</c> stands for the only open one.</returns>
    /// <exception cref="FaultException"><see cref="FaultCodes.InvalidAnswer"/>.</exception>
    public static IReadOnlyDictionary<string, JsonElement> Read(ReadOnlyMemory<byte> body)
    {
        if (body.IsEmpty)
        {
            return new Dictionary<string, JsonElement>();
        }
        if (!Utf8.IsValid(body.Span) || HasHalfCharacters(body.Span))
        {
            throw Fault("the body is no JSON in UTF-8");
        }
        var json = JsonElement.Parse(body.Span, Strict);
        return json.ValueKind != JsonValueKind.Object ? throw Fault("the body is no JSON object")
            : json.Property("answer") is { } only ? json.Property("answers") is null ? Only(only) : throw Fault("the body has both 'answer' and 'answers'")
            : json.Property("answers") is { } answers ? ReadAll(answers)
            : !json.EnumerateObject().Any() ? new Dictionary<string, JsonElement>()
            : throw Fault("the body has neither 'answer' nor 'answers'");
    }

    private static Dictionary<string, JsonElement> Only(JsonElement answer) => new(StringComparer.Ordinal) { [""] = answer };

    private static Dictionary<string, JsonElement> ReadAll(JsonElement answers) => answers.ValueKind == JsonValueKind.Object
        ? answers.EnumerateObject().ToDictionary(it => it.Name, it => it.Value, StringComparer.Ordinal)
        : throw Fault("'answers' is no JSON object");

    /// <summary>
    /// An escape for half a surrogate pair is JSON, and no text: nothing that reads the answer later could make a string of it.
    /// </summary>
    /// <exception cref="FaultException">It is no JSON.</exception>
    private static bool HasHalfCharacters(ReadOnlySpan<byte> body)
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
            _ = JsonElement.Parse(body, Strict);
            return false;
        }
        catch (JsonException exception)
        {
            throw Fault($"the body is no JSON: {exception.Message}");
        }
        catch (InvalidOperationException)
        {
            return true;
        }
    }

    private static FaultException Fault(string message) => new(FaultCodes.InvalidAnswer, message, Hint);
}
