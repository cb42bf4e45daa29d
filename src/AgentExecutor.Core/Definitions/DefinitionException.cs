namespace AgentExecutor.Core.Definitions;

/// <summary>A definition is invalid. <see cref="Faults"/> lists everything that is wrong with it.</summary>
public sealed class DefinitionException(IReadOnlyList<DefinitionFault> faults)
    : FaultException(
        FaultCodes.InvalidDefinition,
        $"the agent definition has {faults.Count} fault{(faults.Count == 1 ? "" : "s")}: "
            + $"{string.Join("; ", faults.Take(5))}{(faults.Count > 5 ? "; ..." : "")}",
        faults[0].Hint
    )
{
    public IReadOnlyList<DefinitionFault> Faults { get; } = faults;
}
