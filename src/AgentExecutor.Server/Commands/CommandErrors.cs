using AgentExecutor.Core;
using AgentExecutor.Core.Graphs.Definitions;

namespace AgentExecutor.Server.Commands;

/// <summary>The border at which exceptions become a plain sentence on standard error and an exit code.</summary>
internal static class CommandErrors
{
    public static int Report(Exception exception, bool verbose)
    {
        switch (exception)
        {
            case DefinitionException definition:
                Console.Error.WriteLine($"error: the definition has {definition.Faults.Count} fault{(definition.Faults.Count == 1 ? "" : "s")}:");
                DefinitionFaults.Write(Console.Error, definition.Faults);
                break;
            case FaultException fault:
                Console.Error.WriteLine($"error: {fault.Message} [{fault.Code}]");
                WriteHint(fault.Hint);
                break;
            default:
                Console.Error.WriteLine($"error: {exception.Message}");
                WriteHint(verbose ? null : "run again with --verbose to see where it happened");
                break;
        }
        if (verbose)
        {
            Console.Error.WriteLine(exception);
        }
        return CodeOf(exception);
    }

    public static void WriteHint(string? hint)
    {
        if (hint is not null)
        {
            Console.Error.WriteLine($"  hint: {hint}");
        }
    }

    private static int CodeOf(Exception exception) => exception switch
    {
        FaultException { Code: FaultCodes.StoreUnavailable or FaultCodes.BusUnavailable or FaultCodes.StoreCorrupt or FaultCodes.ThreadBusy or FaultCodes.LeaseLost } => ExitCode.Unavailable,
        FaultException or IOException or UnauthorizedAccessException => ExitCode.Usage,
        OperationCanceledException => ExitCode.Stopped,
        _ => ExitCode.Internal,
    };
}
