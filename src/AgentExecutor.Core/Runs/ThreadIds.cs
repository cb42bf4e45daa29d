namespace AgentExecutor.Core.Runs;

/// <summary>Ids of threads, chosen by callers: they stand in paths, logs and command lines.</summary>
public static class ThreadIds
{
    public const int MaxLength = 200;

    /// <summary>What an id may be, in words for a hint.</summary>
    public static string Rule { get; } = $"1 to {MaxLength} letters, digits and -_.:@";

    public static bool IsValid(string id) =>
        id.Length is > 0 and <= MaxLength && id.All(it => char.IsLetterOrDigit(it) || it is '-' or '_' or '.' or ':' or '@');

    /// <exception cref="FaultException"><see cref="FaultCodes.InvalidInput"/>: the id is blank, too long, or holds something else than letters, digits and <c>-_.:@</c>.</exception>
    public static void Check(string id, string what = "thread")
    {
        if (!IsValid(id))
        {
            throw new FaultException(FaultCodes.InvalidInput, $"'{id}' cannot be a {what}'s id", $"use {Rule}");
        }
    }
}
