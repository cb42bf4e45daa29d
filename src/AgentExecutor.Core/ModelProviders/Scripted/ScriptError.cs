using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.ModelProviders.Scripted;

/// <summary>A failure of a scripted model.</summary>
/// <param name="Class">What kind of failure, as the schema of scripts lists them.</param>
/// <param name="Message">What the provider would say.</param>
/// <param name="Attempts">How many attempts at the answer fail before one succeeds.</param>
/// <param name="RetryAfter">What the provider asks to wait.</param>
/// <param name="AfterChunks">Chunks that are streamed before it fails.</param>
public sealed record ScriptError(string Class, string Message, int Attempts, TimeSpan? RetryAfter, int AfterChunks)
{
    public static ScriptError Read(JsonElement json) => new(
        json.TextProperty("class") ?? "server",
        json.TextProperty("message") ?? MessageOf(json.TextProperty("class")),
        json.Property("attempts") is { } attempts ? attempts.GetInt32() : int.MaxValue,
        json.Property("retry_after_seconds") is { } seconds ? TimeSpan.FromSeconds(seconds.GetDouble()) : null,
        json.Property("after_chunks") is { } chunks ? chunks.GetInt32() : 0);

    /// <summary>It does not fail, but never goes on.</summary>
    public bool IsStall => Class == "stall";

    public FaultException ToFault() => Class switch
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

    private static string MessageOf(string? kind) => kind switch
    {
        "reset" => "the connection was reset",
        "cut" => "the stream ended before the answer did",
        _ => "the scripted model was told to fail",
    };
}
