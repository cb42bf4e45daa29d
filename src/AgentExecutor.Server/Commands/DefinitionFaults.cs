using AgentExecutor.Core.Graphs.Definitions;

namespace AgentExecutor.Server.Commands;

/// <summary>Prints faults of definitions: where, what, and how to mend it.</summary>
internal static class DefinitionFaults
{
    public static void Write(TextWriter writer, IEnumerable<DefinitionFault> faults)
    {
        foreach (var fault in faults)
        {
            writer.WriteLine($"  {(fault.IsWarning ? "warning" : "fault")} at {fault.Path}: {fault.Message} [{fault.Code}]");
            writer.WriteLine($"    hint: {fault.Hint}");
        }
    }
}
