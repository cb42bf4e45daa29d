using System.CommandLine;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Server.Commands.Inputs;
using AgentExecutor.Server.Commands.Reports;
using AgentExecutor.Server.Composition;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor check</c>.</summary>
internal static class CheckCommand
{
    public static Command Create()
    {
        var definition = CommonOptions.Definition();
        var json = CommonOptions.Json();
        var mermaid = new Option<bool>("--mermaid") { Description = "Print the graph as a Mermaid flowchart." };
        var model = CommonOptions.Model();
        var command = new Command(
            "check",
            "Report every error in a definition, or print the plan of its graph. Keys that are missing on this machine are only warnings."
        )
        {
            definition,
            json,
            mermaid,
            model,
        };
        command.SetAction(
            async (result, cancellationToken) =>
            {
                await using var environment = DefinitionEnvironments.Create(
                    CommonOptions.Settings(result, null),
                    result.GetValue(model) is { } name ? ModelNames.Parse(name) : null
                );
                var bytes = DefinitionFile.Read(result.GetValue(definition)!);
                var check = await DefinitionCheck.ForThisMachineAsync(bytes, environment, cancellationToken);
                if (!check.IsValid)
                {
                    Report(check.Faults, result.GetValue(json));
                    return ExitCode.Usage;
                }
                var plan = new GraphPlan(AgentCompiler.CompilePlan(bytes, environment), check.Faults);
                Console.Write(
                    result.GetValue(json) ? plan.ToJson() + "\n"
                    : result.GetValue(mermaid) ? plan.ToMermaid()
                    : plan.ToText()
                );
                return ExitCode.Success;
            }
        );
        return command;
    }

    private static void Report(IReadOnlyList<DefinitionFault> faults, bool json)
    {
        if (json)
        {
            Console.WriteLine(GraphPlan.FaultsToJson(faults));
            return;
        }
        Console.WriteLine($"{Count(faults, "error", isWarning: false)}, {Count(faults, "warning", isWarning: true)}");
        DefinitionFaults.Write(Console.Out, faults.OrderBy(fault => fault.IsWarning));
    }

    private static string Count(IReadOnlyList<DefinitionFault> faults, string what, bool isWarning) =>
        faults.Count(fault => fault.IsWarning == isWarning) is var count && count == 1 ? $"1 {what}" : $"{count} {what}s";
}
