namespace AgentExecutor.Core;

/// <summary>
/// A fault with a stable code, told to whoever caused or owns it. The message says what and where, <see cref="Hint"/> how to mend it.
/// Every code stands in <see cref="FaultCodes"/>.
/// </summary>
public class FaultException(string code, string message, string? hint = null, Exception? inner = null) : Exception(message, inner)
{
    public string Code { get; } = code;

    public string? Hint { get; } = hint;

    /// <summary>True where the same call may succeed later, so a retry policy may try again.</summary>
    public bool IsTransient { get; init; }

    /// <summary>What the other side asked us to wait before the next try, where it said so.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
