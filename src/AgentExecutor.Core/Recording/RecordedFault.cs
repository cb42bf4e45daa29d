using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Recording;

/// <summary>A recorded failure of a call.</summary>
/// <param name="Code">One of <see cref="FaultCodes"/>; null if the failure was not a <see cref="FaultException"/>.</param>
/// <param name="Message">The error message.</param>
/// <param name="Hint">How to fix it.</param>
/// <param name="IsTransient">True if a retry policy can retry the call.</param>
/// <param name="RetryAfter">The delay that the other side asked for.</param>
public sealed record RecordedFault(string? Code, string Message, string? Hint = null, bool IsTransient = false, TimeSpan? RetryAfter = null)
{
    public static RecordedFault Of(Exception exception) =>
        exception is FaultException fault
            ? new RecordedFault(fault.Code, fault.Message, fault.Hint, fault.IsTransient, fault.RetryAfter)
            : new RecordedFault(null, exception.Message, IsTransient: exception is HttpRequestException or TimeoutException);

    /// <summary>Recreates the exception. It asks for no delay, because a replay would gain nothing from waiting.</summary>
    public Exception ToException() =>
        (Code, IsTransient) switch
        {
            (null, true) => new HttpRequestException(Message),
            (null, false) => new InvalidOperationException(Message),
            _ => new FaultException(Code, Message, Hint)
            {
                IsTransient = IsTransient,
                RetryAfter = IsTransient ? TimeSpan.Zero : RetryAfter,
            },
        };

    internal void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        if (Code is not null)
        {
            writer.WriteString("code"u8, Code);
        }
        writer.WriteString("message"u8, Message);
        if (Hint is not null)
        {
            writer.WriteString("hint"u8, Hint);
        }
        writer.WriteBoolean("transient"u8, IsTransient);
        if (RetryAfter is { } wait)
        {
            writer.WriteNumber("retry_after_seconds"u8, wait.TotalSeconds);
        }
        writer.WriteEndObject();
    }

    internal static RecordedFault Read(JsonElement json) =>
        new(
            json.TextProperty("code"),
            json.TextProperty("message") ?? "",
            json.TextProperty("hint"),
            json.Property("transient") is { ValueKind: JsonValueKind.True },
            json.Property("retry_after_seconds") is { ValueKind: JsonValueKind.Number } seconds
                ? TimeSpan.FromSeconds(seconds.GetDouble())
                : null
        );
}
