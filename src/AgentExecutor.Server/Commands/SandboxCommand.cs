using System.CommandLine;
using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Sandbox;
using AgentExecutor.Core;
using AgentExecutor.Server.Commands.Reports;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor sandbox</c>.</summary>
internal static class SandboxCommand
{
    public static Command Create()
    {
        var program = new Argument<string[]>("PROGRAM")
        {
            Arity = ArgumentArity.ZeroOrMore,
            Description = "The program and its arguments, after --. Without a program, the isolation of this machine is printed.",
        };
        var read = new Option<string[]>("--read")
        {
            HelpName = "PATH",
            Description = "A file or folder that the program may read in addition. Can be repeated.",
        };
        var variables = new Option<string[]>("--env")
        {
            HelpName = "NAME=VALUE",
            Description = "An environment variable of the program. Can be repeated.",
        };
        var network = new Option<bool>("--network") { Description = "The program asks for network, as a tool can." };
        var cpu = Number("--cpu-seconds", "The processor time of each process in seconds.");
        var memory = Number("--memory-mb", "The private memory of each process in megabytes.");
        var processes = Number("--processes", "The maximum number of processes and threads.");
        var file = Number("--file-mb", "The maximum size of a file in megabytes.");
        var command = new Command("sandbox", "Print how programs are isolated on this machine, or run a program in the sandbox.")
        {
            program,
            read,
            variables,
            network,
            cpu,
            memory,
            processes,
            file,
        };
        command.SetAction(
            async (result, cancellationToken) =>
            {
                var settings = CommonOptions.Settings(result, null).Sandbox;
                if (result.GetValue(program) is not { Length: > 0 } words)
                {
                    var (description, isEnough) = await AdapterCatalog.CheckSandboxAsync(settings, TimeProvider.System, cancellationToken);
                    Console.WriteLine(description);
                    return isEnough ? ExitCode.Success : ExitCode.Failed;
                }
                return await AdapterCatalog.RunInSandboxAsync(
                    settings,
                    new SandboxCommandSettings(words[0], words[1..])
                    {
                        ReadablePaths = result.GetValue(read) ?? [],
                        Variables = VariablesOf(result.GetValue(variables) ?? []),
                        UsesNetwork = result.GetValue(network),
                        CpuSeconds = result.GetValue(cpu),
                        MemoryMegabytes = result.GetValue(memory),
                        Processes = result.GetValue(processes),
                        FileMegabytes = result.GetValue(file),
                    },
                    TimeProvider.System,
                    cancellationToken
                );
            }
        );
        return command;
    }

    private static Option<int?> Number(string name, string description) => new(name) { HelpName = "N", Description = description };

    private static Dictionary<string, string> VariablesOf(string[] texts)
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var text in texts)
        {
            var end = text.IndexOf('=', StringComparison.Ordinal);
            if (end <= 0)
            {
                throw new FaultException(FaultCodes.InvalidInput, $"--env: '{text}' is not a variable", "use NAME=VALUE");
            }
            variables[text[..end]] = text[(end + 1)..];
        }
        return variables;
    }
}
