using AgentExecutor.Core;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Server.Commands.Reports;

/// <summary>Turns an exception into a message on standard error and an exit code.</summary>
internal static class CommandErrors
{
    public static int Report(Exception exception, bool verbose)
    {
        switch (exception)
        {
            case DefinitionException definition:
                var count = definition.Faults.Count(fault => !fault.IsWarning);
                Console.Error.WriteLine($"error: the definition has {count} error{(count == 1 ? "" : "s")}:");
                DefinitionFaults.Write(Console.Error, definition.Faults);
                break;
            case SettingsException settings:
                var settingsAre = settings.Faults.Count == 1 ? "1 setting is" : $"{settings.Faults.Count} settings are";
                Console.Error.WriteLine($"error: {settingsAre} invalid [{settings.Code}]:");
                foreach (var fault in settings.Faults)
                {
                    Console.Error.WriteLine($"  {fault}");
                }
                WriteHint(settings.Hint);
                break;
            case FaultException fault:
                Console.Error.WriteLine($"error: {fault.Message} [{fault.Code}]");
                WriteHint(fault.Hint);
                break;
            default:
                Console.Error.WriteLine($"error: {exception.Message}");
                WriteHint(verbose ? null : "run the command again with --verbose to see the stack trace");
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

    private static int CodeOf(Exception exception) =>
        exception switch
        {
            FaultException
            {
                Code: FaultCodes.StoreUnavailable
                    or FaultCodes.StoreTimeout
                    or FaultCodes.BusUnavailable
                    or FaultCodes.StoreCorrupt
                    or FaultCodes.StoreInUse
                    or FaultCodes.ThreadBusy
                    or FaultCodes.LeaseLost
            } => ExitCode.Unavailable,
            FaultException or IOException or UnauthorizedAccessException => ExitCode.Usage,
            OperationCanceledException => ExitCode.Stopped,
            _ => ExitCode.Internal,
        };
}
