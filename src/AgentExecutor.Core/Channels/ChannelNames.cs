namespace AgentExecutor.Core.Channels;

/// <summary>
/// Rules for channel names. Callers choose them as fields of an input, and every store keeps them unchanged, so not every text is allowed.
/// </summary>
public static class ChannelNames
{
    public const int MaxLength = 200;

    /// <summary>
    /// Describes why the text is not a valid channel name, as the end of a sentence that starts with the name. Returns null if it is valid.
    /// </summary>
    public static string? FaultOf(string name) =>
        name.Length > MaxLength ? $"is longer than {MaxLength} characters"
        : name.Any(char.IsControl) ? "contains a control character"
        : name.StartsWith("__", StringComparison.Ordinal) || name.StartsWith("join:", StringComparison.Ordinal)
            ? "starts with a prefix that the engine reserves for itself ('__' or 'join:')"
        : null;
}
