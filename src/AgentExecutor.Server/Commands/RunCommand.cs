using System.CommandLine;
using AgentExecutor.Core.Graphs.Definitions;
using AgentExecutor.Core.Runs;
using AgentExecutor.Server.Commands.Recordings;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor run</c>.</summary>
internal static class RunCommand
{
    public static Command Create()
    {
        var definition = CommonOptions.Definition();
        var input = new Option<string?>("--input") { Description = "The input: text, a JSON object, or @FILE with either." };
        var thread = new Option<string?>("--thread") { Description = "The thread to run on; a new one where left out. An existing thread goes on with the input." };
        var mount = new Option<string?>("--mount") { Description = "Give the agents the text files of this directory (copies: nothing is written back)." };
        var (model, events, outDir, dataDir) = (CommonOptions.Model(), CommonOptions.Events(), CommonOptions.Out(), CommonOptions.DataDir());
        var command = new Command("run", "Run an agent definition here and now, in this process.")
        {
            definition, input, thread, mount, model, events, outDir, dataDir,
        };
        var recording = new RecordingOptions();
        recording.AddTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            var settings = CommonOptions.Settings(result.GetValue(dataDir));
            var json = DefinitionFile.Read(result.GetValue(definition)!);
            var files = result.GetValue(mount) is { } directory ? InputArgument.Mount(directory) : [];
            var threadId = result.GetValue(thread) ?? Guid.CreateVersion7().ToString();
            var request = new RunRequest(threadId, Guid.CreateVersion7().ToString(), json, InputArgument.Read(result.GetValue(input), files));
            await using var tape = await Tape.OpenAsync(recording.Record(result), recording.Replay(result), mayGoOn: false, cancellationToken);
            await using var app = await App.BuildAsync(settings, cancellationToken, result.GetValue(model) is { } name ? App.ParseModel(name) : null, tap: tape.Tap);
            OutDirectory.Check(result.GetValue(outDir));
            DefinitionFaults.Write(Console.Error, DefinitionValidator.Validate(DefinitionReader.Read(json), app.Environment).Where(fault => fault.IsWarning));
            var options = new FollowOptions(
                DefinitionFile.NameIn(json) ?? Path.GetFileName(result.GetValue(definition)!), result.GetValue(events) is not null, result.GetValue(outDir), result.GetValue(dataDir))
            {
                Recording = recording.Again(result),
            };
            return await RunFollower.FollowAsync(app, threadId, options, signals => app.Executor.StartAsync(request, signals), tape);
        });
        return command;
    }
}
