namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>Names of nodes, agents and tools.</summary>
internal static class Names
{
    public const string Rule = "use 1 to 64 letters, digits, '-' and '_'";

    public static bool IsValid(string name) => name.Length is > 0 and <= 64 && name.All(it => char.IsAsciiLetterOrDigit(it) || it is '-' or '_');
}
