namespace AgentExecutor.Core.Definitions;

/// <summary>The rules for names of nodes, agents and tools.</summary>
internal static class Names
{
    public const string Rule = "use 1 to 64 letters, digits, '-' and '_'";

    public const string AgentRule = "use 1 to 100 characters of printable text that neither start nor end with a space";

    private const int MaxAgentNameLength = 100;

    public static bool IsValid(string name) =>
        name.Length is > 0 and <= 64 && name.All(it => char.IsAsciiLetterOrDigit(it) || it is '-' or '_');

    /// <summary>
    /// Agent names are free text. They appear in prompts and in the choices of the <c>task</c> tool, but never in a path.
    /// </summary>
    public static bool IsAgentName(string name) =>
        name.Length is > 0 and <= MaxAgentNameLength && name.Trim().Length == name.Length && !name.Any(char.IsControl);
}
