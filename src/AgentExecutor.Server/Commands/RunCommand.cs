using System.CommandLine;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Threads;
using AgentExecutor.Server.Commands.Inputs;
using AgentExecutor.Server.Commands.Reports;
using AgentExecutor.Server.Composition;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor run</c>.</summary>
internal static class RunCommand
{
    public static Command Create()
    {
        var definition = CommonOptions.Definition();
        var input = new Option<string?>("--input")
        {
            HelpName = "INPUT",
            Description = "The input: text, a JSON object, or @FILE to read either from a file.",
        };
        var thread = new Option<string?>("--thread")
        {
            HelpName = "ID",
            Description = "The id of the thread. An existing thread continues with the input. Default: a new thread.",
        };
        var mount = new Option<string?>("--mount")
        {
            HelpName = "DIR",
            Description = "Give the agents copies of the text files in this directory. The originals are not changed.",
        };
        var execution = new ExecutionOptions();
        var command = new Command("run", "Run an agent definition in this process.") { definition, input, thread, mount };
        execution.AddTo(command);
        command.SetAction(
            async (result, cancellationToken) =>
            {
                var settings = execution.Settings(result);
                var json = DefinitionFile.Read(result.GetValue(definition)!);
                var files = result.GetValue(mount) is { } directory ? InputArgument.Mount(directory) : [];
                var threadId = result.GetValue(thread) ?? Guid.CreateVersion7().ToString();
                var request = new RunRequest(
                    threadId,
                    Guid.CreateVersion7().ToString(),
                    json,
                    InputArgument.Read(result.GetValue(input), files)
                );
                await using var recorded = await execution.OpenRecordingAsync(result, mayAppend: false, cancellationToken);
                await using var app = await CommandServices.CreateAsync(settings, cancellationToken, execution.Model(result), recorded.Tap);
                OutDirectory.Check(execution.OutDirectory(result));
                var source = DefinitionReader.Read(json);
                await app.Environment.Tools.PrepareAsync(source.Definition, cancellationToken);
                DefinitionFaults.Write(
                    Console.Error,
                    DefinitionValidator.Validate(source, app.Environment).Where(fault => fault.IsWarning)
                );
                var title = DefinitionFile.NameIn(json) ?? Path.GetFileName(result.GetValue(definition)!);
                return await RunFollower.FollowAsync(
                    app,
                    threadId,
                    execution.Display(result, title),
                    signals => app.Executor.StartAsync(request, signals),
                    recorded
                );
            }
        );
        return command;
    }
}
