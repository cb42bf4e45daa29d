using System.CommandLine;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Server.Commands.Reports;
using AgentExecutor.Server.Composition;
using AgentExecutor.Server.View;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor history</c>.</summary>
internal static class HistoryCommand
{
    public static Command Create()
    {
        var thread = CommonOptions.Thread();
        var all = new Option<bool>("--all") { Description = "Include the checkpoints of sub-agents and sub-graphs." };
        var limit = new Option<int>("--limit")
        {
            HelpName = "N",
            Description = "The maximum number of checkpoints to list, newest first.",
            DefaultValueFactory = _ => 100,
        };
        var (json, dataDir) = (CommonOptions.Json(), CommonOptions.DataDir());
        var command = new Command("history", "List a thread's checkpoints, newest first.") { thread, all, limit, json, dataDir };
        command.SetAction(
            async (result, cancellationToken) =>
            {
                await using var app = await CommandServices.OpenAsync(
                    CommonOptions.Settings(result, result.GetValue(dataDir)),
                    cancellationToken
                );
                var threadId = result.GetValue(thread)!;
                _ = await app.Runs.FindAsync(threadId, cancellationToken) ?? throw UnknownThread(threadId);
                string[] headers = ["CHECKPOINT", "STEP", "SOURCE", "NEXT", "CHANGED"];
                var table = new TextTable(result.GetValue(all) ? [.. headers, "NAMESPACE"] : headers);
                var query = new CheckpointQuery(threadId, result.GetValue(all) ? null : "", Limit: result.GetValue(limit));
                await foreach (var checkpoint in app.Services.Checkpoints.ListAsync(query, cancellationToken))
                {
                    var next = DueTask
                        .Decode(checkpoint.Due)
                        .GroupBy(task => task.Node)
                        .Select(group => group.Count() > 1 ? $"{group.Key} x{group.Count()}" : group.Key);
                    if (result.GetValue(json))
                    {
                        Console.WriteLine(JsonBytes.WriteText(checkpoint, CheckpointJson.Write));
                        continue;
                    }
                    string[] row =
                    [
                        checkpoint.Id,
                        $"{checkpoint.Step}",
                        checkpoint.Source.ToString().ToLowerInvariant(),
                        string.Join(",", next),
                        string.Join(",", checkpoint.Updated),
                    ];
                    table.Add(result.GetValue(all) ? [.. row, checkpoint.Namespace] : row);
                }
                if (!result.GetValue(json))
                {
                    table.Write(Console.Out, whenEmpty: $"The thread '{threadId}' has no checkpoints.");
                }
                return ExitCode.Success;
            }
        );
        return command;
    }

    public static FaultException UnknownThread(string threadId) =>
        new(FaultCodes.UnknownThread, $"there is no thread '{threadId}'", "list them with: agent-executor threads");
}
