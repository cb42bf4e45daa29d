using System.CommandLine;
using AgentExecutor.Core.Graphs.Definitions;

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
        var command = new Command("check", "Find every fault of a definition, or print the plan of its graph.") { definition, json, mermaid, model };
        command.SetAction(result =>
        {
            var environment = App.EnvironmentOf(CommonOptions.Settings(null), result.GetValue(model) is { } name ? App.ParseModel(name) : null);
            var bytes = DefinitionFile.Read(result.GetValue(definition)!);
            var faults = DefinitionValidator.Validate(DefinitionReader.Read(bytes), environment);
            if (faults.Any(fault => !fault.IsWarning))
            {
                Report(faults, result.GetValue(json));
                return ExitCode.Usage;
            }
            var plan = new GraphPlan(new AgentCompiler(environment).Compile(bytes), faults);
            Console.Write(result.GetValue(json) ? plan.ToJson() + "\n" : result.GetValue(mermaid) ? plan.ToMermaid() : plan.ToText());
            return ExitCode.Success;
        });
        return command;
    }

    private static void Report(IReadOnlyList<DefinitionFault> faults, bool json)
    {
        if (json)
        {
            Console.WriteLine(GraphPlan.FaultsToJson(faults));
            return;
        }
        Console.WriteLine($"{faults.Count(fault => !fault.IsWarning)} faults, {faults.Count(fault => fault.IsWarning)} warnings");
        DefinitionFaults.Write(Console.Out, faults);
    }
}
