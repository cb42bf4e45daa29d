using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>An error reported by a server, in any of the common formats.</summary>
/// <param name="Status">The HTTP status; for an error within an answer, the status that corresponds to its type.</param>
/// <param name="Kinds">The type and the code of the error, as one text.</param>
/// <param name="Message">The server's message, unmasked.</param>
internal sealed partial record ServerError(int Status, string Kinds, string Message)
{
    private const int DefaultStatus = 500;

    /// <summary>Members that contain an error or its message, the most specific first.</summary>
    private static readonly string[] WordMembers =
    [
        "message",
        "msg",
        "error",
        "detail",
        "errors",
        "error_message",
        "errorMessage",
        "error_msg",
        "reason",
        "title",
    ];

    /// <summary>Members that identify an object that is not part of a completion as an error.</summary>
    private static readonly string[] ErrorMembers = ["message", "msg", "detail", "errors", "error_message", "errorMessage", "error_msg"];

    private static readonly string[] FieldMembers = ["param", "field", "parameter", "path"];

    private static readonly string[] StatusMembers = ["status_code", "statusCode", "status", "http_status", "code"];

    /// <summary>The field of the request that the server names as the cause; empty if there is none.</summary>
    public string Param { get; init; } = "";

    /// <summary>All fields that the server names in members, as paths with dots.</summary>
    public IReadOnlyList<string> Fields { get; init; } = [];

    /// <summary>Reads the body of a refusal.</summary>
    public static ServerError OfBody(int status, string body)
    {
        try
        {
            return Of(InputJson.Parse(body), status);
        }
        catch (JsonException)
        {
            // The body is for example a page of a proxy.
            return new ServerError(status, "", body);
        }
    }

    /// <summary>Reads the error in an event of a successful response; null if the event is not an error.</summary>
    public static ServerError? OfEvent(JsonElement json) => IsError(json) ? Of(InputJson.Repaired(json), null) : null;

    /// <summary>Returns true if the error names this field of the request as its cause, in a member or in its message.</summary>
    public bool Names(string field) =>
        Fields.Count > 0
            ? Fields.Any(path => path.Split('.', '[', ']', '/').Contains(field, StringComparer.Ordinal)) || ContainsWord(field)
            : ContainsWord(field);

    private bool ContainsWord(string word)
    {
        var at = Message.IndexOf(word, StringComparison.OrdinalIgnoreCase);
        for (; at >= 0; at = Message.IndexOf(word, at + 1, StringComparison.OrdinalIgnoreCase))
        {
            var end = at + word.Length;
            if ((at == 0 || !IsOfWord(Message[at - 1])) && (end == Message.Length || !IsOfWord(Message[end])))
            {
                return true;
            }
        }
        return false;
    }

    private static bool IsOfWord(char character) => char.IsAsciiLetterOrDigit(character) || character == '_';

    private static bool IsError(JsonElement json)
    {
        if (json.Property("error") is { } error && !IsNothing(error))
        {
            return true;
        }
        if (json.TextProperty("type") is "error" || "error".Equals(json.TextProperty("object"), StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }
        return !IsAnswer(json) && Array.Exists(ErrorMembers, name => json.Property(name) is { } words && !IsNothing(words));
    }

    /// <summary>Returns true for a part of an answer, which can also have a message.</summary>
    private static bool IsAnswer(JsonElement json) =>
        json.Property("type") is not null
        || json.Property("delta") is not null
        || json.Property("usage") is not null
        || json.Property("message") is { ValueKind: JsonValueKind.Object } message && message.Property("role") is not null
        || json.Property("choices") is { } choices && (choices.ValueKind != JsonValueKind.Array || choices.GetArrayLength() > 0);

    private static bool IsNothing(JsonElement json) =>
        json.ValueKind switch
        {
            JsonValueKind.String => WellFormedText.Of(json).AsSpan().IsWhiteSpace(),
            JsonValueKind.Object => !json.EnumerateObject().Any(),
            JsonValueKind.Array => json.GetArrayLength() == 0,
            JsonValueKind.True or JsonValueKind.Number => false,
            _ => true,
        };

    private static ServerError Of(JsonElement json, int? status)
    {
        json =
            json.ValueKind == JsonValueKind.Array
                ? json.EnumerateArray().FirstOrDefault(item => item.ValueKind == JsonValueKind.Object)
                : json;
        var error = json.Property("error") is { ValueKind: JsonValueKind.Object } inner ? inner : json;
        var (type, code) = (error.TextProperty("type") ?? "", error.Property("code") is { } given ? JsonBytes.Display(given) : "");
        var words = Words(error) ?? Words(json) ?? JsonBytes.Compact(json);
        var fields = new List<string>();
        CollectFields(json, fields);
        return new ServerError(status ?? StatusOf(error, type, code, words), $"{type} {code}".Trim(), words)
        {
            Param = error.TextProperty("param") ?? "",
            Fields = fields,
        };
    }

    /// <summary>Returns the readable message of an error; null if there is none.</summary>
    private static string? Words(JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.String:
                return WellFormedText.Of(json) is { Length: > 0 } text ? text : null;
            case JsonValueKind.Array:
                var all = json.EnumerateArray().Select(Words).Where(words => words is not null).ToList();
                return all.Count > 0 ? string.Join("; ", all) : null;
            case JsonValueKind.Object:
                var own = WordMembers
                    .Select(name => json.Property(name) is { } member ? Words(member) : null)
                    .FirstOrDefault(words => words is not null);
                return own is not null && Location(json) is { } location ? $"{location}: {own}" : own;
            default:
                return null;
        }
    }

    /// <summary>
    /// Returns the position in the request to which an entry in a list of errors refers, in the format of common validators.
    /// </summary>
    private static string? Location(JsonElement json) =>
        json.Property("loc") is { ValueKind: JsonValueKind.Array } loc
            ? string.Join('.', loc.EnumerateArray().Select(JsonBytes.Display))
            : null;

    private static void CollectFields(JsonElement json, List<string> fields)
    {
        if (json.ValueKind == JsonValueKind.Array)
        {
            foreach (var item in json.EnumerateArray())
            {
                CollectFields(item, fields);
            }
        }
        else if (json.ValueKind == JsonValueKind.Object)
        {
            fields.AddRange(FieldMembers.Select(name => json.TextProperty(name)).OfType<string>().Where(name => name.Length > 0));
            if (Location(json) is { } location)
            {
                fields.Add(location);
            }
            foreach (var member in json.EnumerateObject())
            {
                CollectFields(member.Value, fields);
            }
        }
    }

    private static int StatusOf(JsonElement error, string type, string code, string words)
    {
        foreach (var name in StatusMembers)
        {
            if (
                error.Property(name) is { } value
                && int.TryParse(JsonBytes.Display(value), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                && number is >= 400 and < 600
            )
            {
                return number;
            }
        }
        return StatusOf(code)
            ?? StatusOf(type)
            ?? StatusOf(error.TextProperty("status") ?? "")
            ?? (TooMany().IsMatch(words) ? 429 : DefaultStatus);
    }

    private static int? StatusOf(string kind) =>
        kind.ToLowerInvariant() switch
        {
            "invalid_request_error"
            or "badrequesterror"
            or "invalid_argument"
            or "invalid_function_call"
            or "bad_request"
            or "validation_error" => 400,
            "authentication_error" or "invalid_api_key" or "unauthenticated" or "unauthorized" => 401,
            "billing_error" => 402,
            "permission_error" or "permission_denied" => 403,
            "not_found_error" or "model_not_found" or "notfounderror" or "not_found" => 404,
            "request_too_large" => 413,
            "rate_limit_error"
            or "rate_limit_exceeded"
            or "rate_limit"
            or "insufficient_quota"
            or "resource_exhausted"
            or "too_many_requests" => 429,
            "unavailable" or "service_unavailable" => 503,
            "timeout_error" or "deadline_exceeded" => 504,
            "overloaded_error" => 529,
            _ => null,
        };

    [GeneratedRegex("rate.?limit|too many requests", RegexOptions.IgnoreCase)]
    private static partial Regex TooMany();
}
