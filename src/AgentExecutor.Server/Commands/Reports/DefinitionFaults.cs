using AgentExecutor.Core.Definitions;

namespace AgentExecutor.Server.Commands.Reports;

/// <summary>Prints the errors and warnings of a definition: where they are, what is wrong and how to fix it.</summary>
internal static class DefinitionFaults
{
    public static void Write(TextWriter writer, IEnumerable<DefinitionFault> faults)
    {
        foreach (var fault in faults)
        {
            writer.WriteLine($"  {(fault.IsWarning ? "warning" : "error")} at {fault.Path}: {fault.Message} [{fault.Code}]");
            writer.WriteLine($"    hint: {fault.Hint}");
        }
    }
}
