using System.Text.RegularExpressions;
using AgentExecutor.Core;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>Converts errors in the communication with a model server to faults that say whether the same call may succeed later.</summary>
internal sealed partial class ModelFaults(ModelServer server, KeyMask mask)
{
    /// <summary>Creates the fault for a refusal, or for an error in the middle of an answer.</summary>
    public FaultException Of(ServerError error, TimeSpan? retryAfter = null)
    {
        var words = mask.Clean(error.Message);
        var kinds = mask.Clean(error.Kinds);
        var message =
            $"{server.Name} returned status {error.Status}{(kinds.Length > 0 ? $" ({kinds})" : "")}: "
            + $"{(words.Length > 0 ? words : "no reason was given")}";
        var (code, isTransient, hint) = Classify(error);
        return new ServerRefusal(error, code, message, hint) { IsTransient = isTransient, RetryAfter = retryAfter };
    }

    /// <summary>Creates the fault for a failed connection, or for data that is not an answer.</summary>
    public FaultException Unavailable(string what, bool isTransient = true) =>
        new(FaultCodes.ModelUnavailable, $"{server.Name}: {mask.Clean(what)}", isTransient ? null : "check the address of the server")
        {
            IsTransient = isTransient,
        };

    /// <summary>Creates the fault for an incomplete answer.</summary>
    public FaultException Cut() => Unavailable("the answer ended before it was complete");

    /// <summary>Creates the fault for a refusal to answer by the server or its model.</summary>
    public FaultException Refused(string text) =>
        new(
            FaultCodes.ModelRefused,
            $"{server.Name} refused to answer{(text.Length > 0 ? $": {mask.Clean(text)}" : "")}",
            "change the request, or use another model"
        );

    private (string Code, bool IsTransient, string? Hint) Classify(ServerError error) =>
        error.Status switch
        {
            _ when IsOverflow(error) => (
                FaultCodes.ModelContextOverflow,
                false,
                "set context_tokens of the model to the number of tokens that it accepts, so that the conversation is summarised in time"
            ),
            402 or 400 or 403 or 429 when QuotaExhausted().IsMatch($"{error.Kinds} {error.Message}") => (
                FaultCodes.ModelRateLimited,
                false,
                "the quota or credit of the account is used up: check its billing"
            ),
            400 or 403 when Filtered().IsMatch(error.Kinds) => (FaultCodes.ModelRefused, false, "change the request, or use another model"),
            429 => (FaultCodes.ModelRateLimited, !TooLargeForLimit().IsMatch(error.Message), null),
            401 or 403 => (FaultCodes.ModelAuthentication, false, $"check that {server.KeyVariable} is a key with access to this model"),
            504 when error.Kinds.Contains("timeout_error", StringComparison.Ordinal) => (FaultCodes.ModelTimeout, true, null),
            408 or 409 or 425 or >= 500 => (FaultCodes.ModelUnavailable, true, null),
            404 => (
                FaultCodes.ModelNotFound,
                false,
                "check the model's name, and that base_url is the address of an API (most end in /v1)"
            ),
            >= 300 and < 400 => (
                FaultCodes.ModelInvalidRequest,
                false,
                "redirects are not followed: set base_url to the actual address of the server"
            ),
            _ => (FaultCodes.ModelInvalidRequest, false, SettingHints.Of(error)),
        };

    private static bool IsOverflow(ServerError error) =>
        error.Status is 400 or 413 or 422 or >= 500 && Overflow().IsMatch($"{error.Kinds} {error.Message}");

    [GeneratedRegex(
        @"context_length_exceeded|exceed_context_size|maximum context length|available context size|prompt is too long|input is too long"
            + @"|(exceed|larger than|longer than)\S*\s(the\s)?(\S+\s){0,3}context (window|limit|length|size)"
            + @"|context (window|limit|length|size) (is |was )?exceeded|reduce the length of the messages",
        RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture
    )]
    private static partial Regex Overflow();

    [GeneratedRegex(
        "insufficient_quota|billing_error|billing_hard_limit|billing_not_active|credit balance is too low|insufficient "
            + "(credit|balance|funds)",
        RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture
    )]
    private static partial Regex QuotaExhausted();

    [GeneratedRegex("content_filter|content_policy", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex Filtered();

    /// <summary>Matches a single request that exceeds the whole limit of a minute, for which waiting does not help.</summary>
    [GeneratedRegex("^request too large", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex TooLargeForLimit();
}
