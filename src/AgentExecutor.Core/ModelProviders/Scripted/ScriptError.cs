using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.ModelProviders.Scripted;

/// <summary>A simulated failure of a scripted model.</summary>
/// <param name="Class">The kind of failure, as listed in the schema of scripts.</param>
/// <param name="Message">The provider's error message.</param>
/// <param name="Attempts">The number of attempts that fail before one succeeds.</param>
/// <param name="RetryAfter">The delay that the provider asks for before a retry.</param>
/// <param name="AfterChunks">The number of chunks that are streamed before the failure.</param>
public sealed record ScriptError(string Class, string Message, int Attempts, TimeSpan? RetryAfter, int AfterChunks)
{
    public static ScriptError Read(JsonElement json) =>
        new(
            json.TextProperty("class") ?? "server",
            json.TextProperty("message") ?? MessageOf(json.TextProperty("class")),
            json.Property("attempts") is { } attempts ? attempts.GetInt32() : int.MaxValue,
            json.Property("retry_after_seconds") is { } seconds ? TimeSpan.FromSeconds(seconds.GetDouble()) : null,
            json.Property("after_chunks") is { } chunks ? chunks.GetInt32() : 0
        );

    /// <summary>True if the model never answers instead of failing.</summary>
    public bool IsStall => Class == "stall";

    public FaultException ToFault() =>
        Class switch
        {
            "rate_limit" => new FaultException(FaultCodes.ModelRateLimited, Message) { IsTransient = true, RetryAfter = RetryAfter },
            "server" or "reset" or "cut" => new FaultException(FaultCodes.ModelUnavailable, Message) { IsTransient = true },
            "model_not_found" => new FaultException(FaultCodes.ModelNotFound, Message),
            "timeout" => new FaultException(FaultCodes.ModelTimeout, Message) { IsTransient = true },
            "authentication" => new FaultException(FaultCodes.ModelAuthentication, Message),
            "context_overflow" => new FaultException(FaultCodes.ModelContextOverflow, Message),
            "refusal" => new FaultException(FaultCodes.ModelRefused, Message),
            _ => new FaultException(FaultCodes.ModelInvalidRequest, Message),
        };

    private static string MessageOf(string? kind) =>
        kind switch
        {
            "reset" => "the connection was reset",
            "cut" => "the stream ended before the answer was complete",
            _ => "the scripted model is configured to fail",
        };
}
