using System.Text.RegularExpressions;
using AgentExecutor.Core;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>Turns what goes wrong between us and a model server into faults that say whether the same call may succeed later.</summary>
internal sealed partial class ModelFaults(ModelServer server, KeyMask mask)
{
    /// <summary>The server refused, or broke off with an error.</summary>
    public FaultException Of(ServerError error, TimeSpan? retryAfter = null)
    {
        var words = mask.Clean(error.Message);
        var kinds = mask.Clean(error.Kinds);
        var message = $"{server.Name} answered {error.Status}{(kinds.Length > 0 ? $" ({kinds})" : "")}: {(words.Length > 0 ? words : "no reason given")}";
        var (code, isTransient, hint) = Judge(error);
        return new ServerRefusal(error, code, message, hint) { IsTransient = isTransient, RetryAfter = retryAfter };
    }

    /// <summary>The connection failed, or what came over it is no answer.</summary>
    public FaultException Unavailable(string what, bool isTransient = true) =>
        new(FaultCodes.ModelUnavailable, $"{server.Name}: {mask.Clean(what)}", isTransient ? null : "see that the server's address is right") { IsTransient = isTransient };

    /// <summary>The answer ended before it was whole.</summary>
    public FaultException Cut() => Unavailable("the answer broke off before its end");

    /// <summary>The server or its model will not answer this.</summary>
    public FaultException Refused(string text) => new(
        FaultCodes.ModelRefused, $"{server.Name} refused to answer{(text.Length > 0 ? $": {mask.Clean(text)}" : "")}", "ask for something else, or use another model");

    private (string Code, bool IsTransient, string? Hint) Judge(ServerError error) => error.Status switch
    {
        _ when IsOverflow(error) => (FaultCodes.ModelContextOverflow, false, "set context_tokens of the model to what it takes, so that the conversation is summarised in time"),
        402 or 400 or 403 or 429 when OutOfMoney().IsMatch($"{error.Kinds} {error.Message}") => (FaultCodes.ModelRateLimited, false, "the account's quota or credit is used up: see to its billing"),
        400 or 403 when Filtered().IsMatch(error.Kinds) => (FaultCodes.ModelRefused, false, "ask for something else, or use another model"),
        429 => (FaultCodes.ModelRateLimited, !TooLargeForLimit().IsMatch(error.Message), null),
        401 or 403 => (FaultCodes.ModelAuthentication, false, $"see that {server.KeyVariable} is a key that may use this model"),
        504 when error.Kinds.Contains("timeout_error", StringComparison.Ordinal) => (FaultCodes.ModelTimeout, true, null),
        408 or 409 or 425 or >= 500 => (FaultCodes.ModelUnavailable, true, null),
        404 => (FaultCodes.ModelNotFound, false, "see that the model's name is right, and that base_url names an API (most end in /v1)"),
        >= 300 and < 400 => (FaultCodes.ModelInvalidRequest, false, "redirects are not followed: set base_url to where the server really is"),
        _ => (FaultCodes.ModelInvalidRequest, false, SettingHints.Of(error)),
    };

    private static bool IsOverflow(ServerError error) => error.Status is 400 or 413 or 422 or >= 500 && Overflow().IsMatch($"{error.Kinds} {error.Message}");

    [GeneratedRegex(
        """
        context_length_exceeded|exceed_context_size|maximum context length|available context size|prompt is too long|input is too long|(exceed|larger than|longer than)\S*\s(the\s)?(\S+\s){0,3}context (window|limit|length|size)|context (window|limit|length|size) (is |was )?exceeded|reduce the length of the messages
        """, RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex Overflow();

    [GeneratedRegex("insufficient_quota|billing_error|billing_hard_limit|billing_not_active|credit balance is too low|insufficient (credit|balance|funds)", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex OutOfMoney();

    [GeneratedRegex("content_filter|content_policy", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex Filtered();

    /// <summary>One request above the whole limit of a minute: waiting does not help.</summary>
    [GeneratedRegex("^request too large", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex TooLargeForLimit();
}
