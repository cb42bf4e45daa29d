using System.CommandLine;
using AgentExecutor.Server.Commands.Reports;

namespace AgentExecutor.Server.Commands;

/// <summary>The program's commands.</summary>
internal static class CommandLine
{
    public static RootCommand Create()
    {
        var root = new RootCommand("A durable runtime for AI agents and agent workflows.")
        {
            RunCommand.Create(),
            ResumeCommand.Create(),
            CancelCommand.Create(),
            ThreadsCommand.Create(),
            HistoryCommand.Create(),
            ShowCommand.Create(),
            ForkCommand.Create(),
            CheckCommand.Create(),
            SubmitCommand.Create(),
            WatchCommand.Create(),
            ServeCommand.Create(),
            DeadLettersCommand.Create(),
            MigrateCommand.Create(),
            PruneCommand.Create(),
            SandboxCommand.Create(),
        };
        root.Options.Add(CommonOptions.Verbose);
        root.Options.Add(CommonOptions.Config);
        return root;
    }

    /// <summary>The names of the command and its parents, each followed by a space.</summary>
    private static string PathOf(System.CommandLine.Parsing.CommandResult command) =>
        command.Command is RootCommand
            ? ""
            : (command.Parent is System.CommandLine.Parsing.CommandResult parent ? PathOf(parent) : "") + command.Command.Name + " ";

    /// <summary>Parses the arguments and runs the command. Never throws.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        // @FILE names an input file, not a response file.
        var result = Create().Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (result.Errors.Count > 0)
        {
            foreach (var error in ParserErrors.In(result))
            {
                Console.Error.WriteLine($"error: {error}");
            }
            CommandErrors.WriteHint($"agent-executor {PathOf(result.CommandResult)}--help describes the arguments");
            return ExitCode.Usage;
        }
        try
        {
            return await result.InvokeAsync(
                new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }
            );
        }
        catch (Exception exception) // every error becomes a message and an exit code
        {
            return CommandErrors.Report(exception, result.GetValue(CommonOptions.Verbose));
        }
    }
}
