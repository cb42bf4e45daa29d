using System.CommandLine;

namespace AgentExecutor.Server.Commands;

/// <summary>The program's commands.</summary>
internal static class CommandLine
{
    public static RootCommand Create()
    {
        var root = new RootCommand("A durable runtime for deep agents and agent workflows.")
        {
            RunCommand.Create(),
            ResumeCommand.Create(),
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
        };
        root.Options.Add(CommonOptions.Verbose);
        return root;
    }

    /// <summary>The commands that lead to it, each with a space behind.</summary>
    private static string PathOf(System.CommandLine.Parsing.CommandResult command) => command.Command is RootCommand ? ""
        : (command.Parent is System.CommandLine.Parsing.CommandResult parent ? PathOf(parent) : "") + command.Command.Name + " ";

    /// <summary>Parses and runs; never throws.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        var result = Create().Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null }); // @FILE is an input, not more arguments
        if (result.Errors.Count > 0)
        {
            foreach (var error in result.Errors)
            {
                Console.Error.WriteLine($"error: {error.Message}");
            }
            CommandErrors.WriteHint($"agent-executor {PathOf(result.CommandResult)}--help tells more");
            return ExitCode.Usage;
        }
        try
        {
            return await result.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (Exception exception) // the border of the program: every fault is told in one sentence
        {
            return CommandErrors.Report(exception, result.GetValue(CommonOptions.Verbose));
        }
    }
}
