using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Text.Unicode;

namespace AgentExecutor.Core.Json;

/// <summary>
/// Reads JSON from external sources: models, tools, people, definitions and the command line. It enforces the limits of such values, so
/// that every accepted value can be stored and read again. An unpaired surrogate, which JSON can express but UTF-8 cannot, is replaced by
/// U+FFFD.
/// </summary>
public static partial class InputJson
{
    /// <summary>The maximum nesting depth of a value.</summary>
    public const int MaxDepth = 64;

    private static readonly JsonDocumentOptions Lenient = new() { MaxDepth = MaxDepth };

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = MaxDepth, AllowDuplicateProperties = false };

    private static readonly JsonDocumentOptions Handwritten = Strict with
    {
        AllowTrailingCommas = true,
        CommentHandling = JsonCommentHandling.Skip,
    };

    /// <summary>The end of a sentence that reports a value with too many levels.</summary>
    public static string TooDeep { get; } = $"is nested more than {MaxDepth} levels deep";

    /// <param name="utf8">The JSON.</param>
    /// <param name="isStrict">True to reject objects with duplicate properties; otherwise the last value of a property counts.</param>
    /// <exception cref="JsonException">The text is not valid JSON, or its nesting exceeds <see cref="MaxDepth"/>.</exception>
    public static JsonElement Parse(ReadOnlySpan<byte> utf8, bool isStrict = false) => Parse(utf8, isStrict ? Strict : Lenient);

    /// <inheritdoc cref="Parse(ReadOnlySpan{byte}, bool)"/>
    public static JsonElement Parse(string text, bool isStrict = false) => Parse(Encoding.UTF8.GetBytes(text), isStrict);

    /// <summary>Parses strictly, but allows comments and trailing commas, which people write.</summary>
    /// <exception cref="JsonException">The text is not valid JSON, an object has a duplicate property, or the nesting exceeds
    /// <see cref="MaxDepth"/>.</exception>
    public static JsonElement ParseHandwritten(ReadOnlySpan<byte> utf8) => Parse(utf8, Handwritten);

    /// <summary>Returns the JSON with U+FFFD in place of unpaired surrogates and of invalid UTF-8.</summary>
    public static JsonElement Repaired(JsonElement json)
    {
        if (json.ValueKind == JsonValueKind.Undefined)
        {
            return json;
        }
        var raw = JsonMarshal.GetRawUtf8Value(json);
        return NeedsRepair(raw) ? StoredJson.Parse(Repair(Encoding.UTF8.GetString(raw))) : json;
    }

    /// <summary>Returns true if the nesting of the value exceeds <see cref="MaxDepth"/>.</summary>
    public static bool IsTooDeep(JsonElement value)
    {
        if (value.ValueKind is not (JsonValueKind.Object or JsonValueKind.Array))
        {
            return false;
        }
        var reader = new Utf8JsonReader(JsonMarshal.GetRawUtf8Value(value), StoredJson.ReaderOptions);
        while (reader.Read())
        {
            if (reader.CurrentDepth >= MaxDepth && reader.TokenType is (JsonTokenType.StartObject or JsonTokenType.StartArray))
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Returns true if the text is valid JSON whose nesting exceeds <see cref="MaxDepth"/>.</summary>
    public static bool IsTooDeep(string text)
    {
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(text), new JsonReaderOptions { MaxDepth = int.MaxValue });
        var isTooDeep = false;
        try
        {
            while (reader.Read())
            {
                isTooDeep |= reader.CurrentDepth >= MaxDepth && reader.TokenType is (JsonTokenType.StartObject or JsonTokenType.StartArray);
            }
            return isTooDeep;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static JsonElement Parse(ReadOnlySpan<byte> utf8, JsonDocumentOptions options) =>
        NeedsRepair(utf8) ? JsonElement.Parse(Repair(Encoding.UTF8.GetString(utf8)), options) : JsonElement.Parse(utf8, options);

    private static bool NeedsRepair(ReadOnlySpan<byte> utf8) =>
        utf8.IndexOf("\\ud"u8) >= 0 || utf8.IndexOf("\\uD"u8) >= 0 || !Utf8.IsValid(utf8);

    private static string Repair(string json) =>
        Escape().Replace(json, static escape => escape.Groups["half"].Success ? "\\ufffd" : escape.Value);

    /// <summary>
    /// Matches an escaped surrogate pair, an unpaired surrogate, or any other escape. All are matched, so that an escaped backslash is not
    /// taken for the start of the next escape.
    /// </summary>
    [GeneratedRegex(
        """\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)""",
        RegexOptions.Singleline
    )]
    private static partial Regex Escape();
}
