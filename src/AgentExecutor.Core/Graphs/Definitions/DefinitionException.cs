namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>A definition has faults; <see cref="Faults"/> are all of them.</summary>
public sealed class DefinitionException(IReadOnlyList<DefinitionFault> faults) : FaultException(
    FaultCodes.InvalidDefinition,
    $"the agent definition has {faults.Count} fault{(faults.Count == 1 ? "" : "s")}: {string.Join("; ", faults.Take(5))}{(faults.Count > 5 ? "; ..." : "")}",
    faults[0].Hint)
{
    public IReadOnlyList<DefinitionFault> Faults { get; } = faults;
}
