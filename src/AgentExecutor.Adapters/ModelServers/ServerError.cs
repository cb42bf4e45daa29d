using System.Globalization;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>What a server says went wrong, of whichever of the common shapes its answer is.</summary>
/// <param name="Status">The HTTP status; of an error within a stream, the one that its type stands for.</param>
/// <param name="Kinds">Its type and code, as one text.</param>
/// <param name="Message">Its own words, unmasked.</param>
internal sealed record ServerError(int Status, string Kinds, string Message)
{
    /// <summary>The field of the request that it names as the cause; empty where it names none.</summary>
    public string Param { get; init; } = "";

    /// <summary>The body of a refusal.</summary>
    public static ServerError OfBody(int status, string body)
    {
        try
        {
            return Of(JsonElement.Parse(body), status);
        }
        catch (JsonException)
        {
            return new ServerError(status, "", body); // a proxy's page, say
        }
    }

    /// <summary>The error in a stream that began well; null where the event is none.</summary>
    public static ServerError? OfEvent(JsonElement json) => json.Property("error") is not null || json.TextProperty("type") == "error" ? Of(json, null) : null;

    private static ServerError Of(JsonElement json, int? status)
    {
        var error = json.Property("error") is { ValueKind: JsonValueKind.Object } inner ? inner : json;
        var (type, code) = (error.TextProperty("type") ?? "", error.Property("code") is { } given ? JsonBytes.Display(given) : "");
        var message = error.TextProperty("message") ?? json.TextProperty("error") ?? Text(json.Property("detail")) ?? Text(json.Property("message")) ?? JsonBytes.Compact(json);
        return new ServerError(status ?? StatusOf(type, code), $"{type} {code}".Trim(), message) { Param = error.TextProperty("param") ?? "" };
    }

    private static string? Text(JsonElement? json) => json is { } given ? JsonBytes.Display(given) : null;

    private static int StatusOf(string type, string code) =>
        int.TryParse(code, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is >= 400 and < 600 ? number
        : StatusOf(code) ?? StatusOf(type) ?? 500;

    private static int? StatusOf(string kind) => kind switch
    {
        "invalid_request_error" or "BadRequestError" => 400,
        "authentication_error" or "invalid_api_key" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" or "model_not_found" or "NotFoundError" => 404,
        "request_too_large" => 413,
        "rate_limit_error" or "rate_limit_exceeded" or "insufficient_quota" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => null,
    };
}
