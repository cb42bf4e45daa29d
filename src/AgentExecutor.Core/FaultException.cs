namespace AgentExecutor.Core;

/// <summary>
/// An error with a stable code, one of <see cref="FaultCodes"/>. The message says what is wrong and where, and <see cref="Hint"/> says how
/// to fix it.
/// </summary>
public class FaultException(string code, string message, string? hint = null, Exception? inner = null) : Exception(message, inner)
{
    public string Code { get; } = code;

    public string? Hint { get; } = hint;

    /// <summary>True if the same call may succeed later, so that a retry policy can retry it.</summary>
    public bool IsTransient { get; init; }

    /// <summary>The delay that the server asked for before the next attempt; null if it asked for none.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
