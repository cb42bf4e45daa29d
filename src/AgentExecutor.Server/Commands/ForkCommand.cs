using System.CommandLine;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Json;
using AgentExecutor.Server.Commands.Inputs;
using AgentExecutor.Server.Commands.Reports;
using AgentExecutor.Server.Composition;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor fork</c>.</summary>
internal static class ForkCommand
{
    public static Command Create()
    {
        var thread = CommonOptions.Thread();
        var checkpoint = new Option<string?>("--checkpoint")
        {
            HelpName = "ID",
            Description = "The checkpoint to fork from. Default: the newest.",
        };
        var step = new Option<int?>("--step") { HelpName = "N", Description = "The step to fork from, as printed by 'history'." };
        var to = new Option<string?>("--to") { HelpName = "ID", Description = "The id of the new thread. Default: a generated id." };
        var set = new Option<string?>("--set")
        {
            HelpName = "JSON",
            Description = "Updates to apply to the new thread: a JSON object with one update per channel.",
        };
        var asNode = new Option<string?>("--as-node")
        {
            HelpName = "NODE",
            Description = "Apply the updates as if this node had written them; its successors run next.",
        };
        var dataDir = CommonOptions.DataDir();
        var command = new Command("fork", "Create a new thread from a checkpoint of another thread.")
        {
            thread,
            checkpoint,
            step,
            to,
            set,
            asNode,
            dataDir,
        };
        command.SetAction(
            async (result, cancellationToken) =>
            {
                await using var app = await CommandServices.OpenAsync(
                    CommonOptions.Settings(result, result.GetValue(dataDir)),
                    cancellationToken
                );
                var newId = result.GetValue(to) ?? Guid.CreateVersion7().ToString();
                var updates = result.GetValue(set) is { } text ? ReadUpdates(text) : (JsonElement?)null;
                var from = result.GetValue(step) is { } wanted
                    ? await FindStepAsync(app, result.GetValue(thread)!, wanted, cancellationToken)
                    : result.GetValue(checkpoint);
                await app.Editor.ForkAsync(result.GetValue(thread)!, from, newId, Guid.CreateVersion7().ToString(), cancellationToken);
                if (updates is not null || result.GetValue(asNode) is not null)
                {
                    await app.Editor.UpdateAsync(
                        newId,
                        updates ?? StoredJson.Parse("{}"u8),
                        result.GetValue(asNode),
                        CheckpointSource.Fork,
                        cancellationToken
                    );
                }
                Console.WriteLine(newId);
                Console.Error.WriteLine($"to continue: agent-executor resume {newId}");
                return ExitCode.Success;
            }
        );
        return command;
    }

    private static async Task<string> FindStepAsync(CommandServices app, string threadId, int step, CancellationToken cancellationToken)
    {
        await foreach (var checkpoint in app.Services.Checkpoints.ListAsync(new CheckpointQuery(threadId), cancellationToken))
        {
            if (checkpoint.Step == step)
            {
                return checkpoint.Id;
            }
        }
        throw new FaultException(
            FaultCodes.UnknownCheckpoint,
            $"the thread '{threadId}' has no step {step}",
            $"list them with: agent-executor history {threadId}"
        );
    }

    private static JsonElement ReadUpdates(string text) =>
        InputArgument.Value(text) is { ValueKind: JsonValueKind.Object } updates
            ? updates
            : throw new FaultException(FaultCodes.InvalidInput, "--set takes a JSON object", """use --set '{"channel": value}'""");
}
