namespace AgentExecutor.Core.Runs;

/// <summary>Checks the ids of threads. Callers choose them, and they appear in paths, logs and command lines.</summary>
public static class ThreadIds
{
    public const int MaxLength = 200;

    /// <summary>Describes the valid ids, for a hint.</summary>
    public static string Rule { get; } = $"1 to {MaxLength} letters, digits and -_.:@, but neither '.' nor '..' alone";

    /// <summary>
    /// Clients and proxies remove <c>.</c> and <c>..</c> from a URL's path, so a request for such an id would reach another route.
    /// </summary>
    public static bool IsValid(string id) =>
        id.Length is > 0 and <= MaxLength
        && id is not ("." or "..")
        && id.All(it => char.IsLetterOrDigit(it) || it is '-' or '_' or '.' or ':' or '@');

    /// <exception cref="FaultException">The id does not follow <see cref="Rule"/> (<see cref="FaultCodes.InvalidInput"/>).</exception>
    public static void Check(string id, string what = "thread")
    {
        if (!IsValid(id))
        {
            throw new FaultException(FaultCodes.InvalidInput, $"{Quote(id)} cannot be a {what}'s id", $"use {Rule}");
        }
    }

    /// <summary>Quotes the id, shortened if it is long, and without characters that a terminal or a log would interpret.</summary>
    private static string Quote(string id)
    {
        var text = id.Length > MaxLength ? id[..MaxLength] + "..." : id;
        var shown = string.Concat(text.Select(it => char.IsControl(it) || char.IsSurrogate(it) ? '\uFFFD' : it));
        return $"'{shown}'";
    }
}
