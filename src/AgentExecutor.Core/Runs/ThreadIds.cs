namespace AgentExecutor.Core.Runs;

/// <summary>Ids of threads, chosen by callers: they stand in paths, logs and command lines.</summary>
public static class ThreadIds
{
    public const int MaxLength = 200;

    /// <exception cref="FaultException"><see cref="FaultCodes.InvalidInput"/>: the id is blank, too long, or holds something else than letters, digits and <c>-_.:@</c>.</exception>
    public static void Check(string id, string what = "thread")
    {
        if (id.Length is 0 or > MaxLength || !id.All(it => char.IsLetterOrDigit(it) || it is '-' or '_' or '.' or ':' or '@'))
        {
            throw new FaultException(
                FaultCodes.InvalidInput, $"'{id}' cannot be a {what}'s id", $"use 1 to {MaxLength} letters, digits and -_.:@");
        }
    }
}
