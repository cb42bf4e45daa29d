namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>The types of nodes, as definitions say them.</summary>
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

    public static bool IsAgent(string type) => type is Orchestrator or Specialist or Agent;
}
