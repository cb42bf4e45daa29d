namespace AgentExecutor.Core.Definitions;

/// <summary>The types of nodes by their names in definitions.</summary>
public static class NodeTypes
{
    public const string Orchestrator = "orchestrator";
    public const string Specialist = "specialist";
    public const string Agent = "agent";
    public const string Tool = "tool";
    public const string Set = "set";
    public const string Human = "human";
    public const string SubGraph = "graph";

    public static IReadOnlyList<string> All { get; } = [Orchestrator, Specialist, Agent, Tool, Set, Human, SubGraph];

    /// <summary>
    /// Returns the type in its canonical spelling. A missing type is a specialist; an unknown type is returned unchanged.
    /// </summary>
    public static string Normal(string? written) =>
        string.IsNullOrWhiteSpace(written)
            ? Specialist
            : All.FirstOrDefault(type => type.Equals(written.Trim(), StringComparison.OrdinalIgnoreCase)) ?? written;

    public static bool IsAgent(string type) => type is Orchestrator or Specialist or Agent;
}
