using System.CommandLine;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor fork</c>.</summary>
internal static class ForkCommand
{
    public static Command Create()
    {
        var thread = CommonOptions.Thread();
        var checkpoint = new Option<string?>("--checkpoint") { Description = "Where to fork; the newest checkpoint where left out." };
        var step = new Option<int?>("--step") { Description = "Where to fork, by the step that 'history' prints." };
        var to = new Option<string?>("--to") { Description = "The new thread's id; made where left out." };
        var set = new Option<string?>("--set") { Description = "A JSON object of updates by channel, made on the new thread." };
        var asNode = new Option<string?>("--as-node") { Description = "Make the updates as if this node had: what follows it is then next." };
        var dataDir = CommonOptions.DataDir();
        var command = new Command("fork", "Make a new thread from another's past.") { thread, checkpoint, step, to, set, asNode, dataDir };
        command.SetAction(async (result, cancellationToken) =>
        {
            await using var app = await App.OpenAsync(CommonOptions.Settings(result.GetValue(dataDir)), cancellationToken);
            var newId = result.GetValue(to) ?? Guid.CreateVersion7().ToString();
            var updates = result.GetValue(set) is { } text ? ReadUpdates(text) : (JsonElement?)null;
            var from = result.GetValue(step) is { } wanted ? await FindStepAsync(app, result.GetValue(thread)!, wanted, cancellationToken) : result.GetValue(checkpoint);
            await app.Editor.ForkAsync(result.GetValue(thread)!, from, newId, Guid.CreateVersion7().ToString(), cancellationToken);
            if (updates is not null || result.GetValue(asNode) is not null)
            {
                await app.Editor.UpdateAsync(newId, updates ?? JsonElement.Parse("{}"u8), result.GetValue(asNode), CheckpointSource.Fork, cancellationToken);
            }
            Console.WriteLine(newId);
            Console.Error.WriteLine($"to go on: agent-executor resume {newId}");
            return ExitCode.Success;
        });
        return command;
    }

    private static async Task<string> FindStepAsync(App app, string threadId, int step, CancellationToken cancellationToken)
    {
        await foreach (var checkpoint in app.Services.Checkpoints.ListAsync(new CheckpointQuery(threadId), cancellationToken))
        {
            if (checkpoint.Step == step)
            {
                return checkpoint.Id;
            }
        }
        throw new FaultException(FaultCodes.UnknownCheckpoint, $"the thread '{threadId}' has no step {step}", $"list them with: agent-executor history {threadId}");
    }

    private static JsonElement ReadUpdates(string text) => InputArgument.Value(text) is { ValueKind: JsonValueKind.Object } updates
        ? updates
        : throw new FaultException(FaultCodes.InvalidInput, "--set takes a JSON object", """write --set '{"channel": value}'""");
}
