using System.CommandLine;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor history</c>.</summary>
internal static class HistoryCommand
{
    public static Command Create()
    {
        var thread = CommonOptions.Thread();
        var all = new Option<bool>("--all") { Description = "Checkpoints of sub-agents and sub-graphs too." };
        var limit = new Option<int>("--limit") { Description = "At most so many, newest first.", DefaultValueFactory = _ => 100 };
        var (json, dataDir) = (CommonOptions.Json(), CommonOptions.DataDir());
        var command = new Command("history", "List a thread's checkpoints, newest first.") { thread, all, limit, json, dataDir };
        command.SetAction(async (result, cancellationToken) =>
        {
            await using var app = await App.OpenAsync(CommonOptions.Settings(result.GetValue(dataDir)), cancellationToken);
            var threadId = result.GetValue(thread)!;
            _ = await app.Runs.FindAsync(threadId, cancellationToken) ?? throw UnknownThread(threadId);
            string[] headers = ["CHECKPOINT", "STEP", "SOURCE", "NEXT", "CHANGED"];
            var table = new TextTable(result.GetValue(all) ? [.. headers, "NAMESPACE"] : headers);
            var query = new CheckpointQuery(threadId, result.GetValue(all) ? null : "", Limit: result.GetValue(limit));
            await foreach (var checkpoint in app.Services.Checkpoints.ListAsync(query, cancellationToken))
            {
                var next = DueTask.Decode(checkpoint.Due).GroupBy(task => task.Node).Select(group => group.Count() > 1 ? $"{group.Key} x{group.Count()}" : group.Key);
                if (result.GetValue(json))
                {
                    Console.WriteLine(ToJson(checkpoint));
                    continue;
                }
                string[] row = [checkpoint.Id, $"{checkpoint.Step}", checkpoint.Source.ToString().ToLowerInvariant(), string.Join(",", next), string.Join(",", checkpoint.Updated)];
                table.Add(result.GetValue(all) ? [.. row, checkpoint.Namespace] : row);
            }
            if (!result.GetValue(json))
            {
                table.Write(Console.Out, whenEmpty: $"The thread '{threadId}' has no checkpoints.");
            }
            return ExitCode.Success;
        });
        return command;
    }

    public static FaultException UnknownThread(string threadId) =>
        new(FaultCodes.UnknownThread, $"there is no thread '{threadId}'", "list them with: agent-executor threads");

    private static string ToJson(StoredCheckpoint checkpoint) => JsonBytes.WriteText(checkpoint, static (Utf8JsonWriter writer, StoredCheckpoint it) =>
    {
        writer.WriteStartObject();
        writer.WriteString("checkpoint_id"u8, it.Id);
        writer.WriteString("parent_checkpoint_id"u8, it.ParentId);
        writer.WriteString("ns"u8, it.Namespace);
        writer.WriteString("run_id"u8, it.RunId);
        writer.WriteNumber("step"u8, it.Step);
        writer.WriteString("source"u8, it.Source.ToString().ToLowerInvariant());
        writer.WriteString("ts"u8, it.Time);
        writer.WritePropertyName("next"u8);
        writer.WriteRawValue(it.Due.Span);
        writer.WriteStartArray("updated_channels"u8);
        foreach (var channel in it.Updated)
        {
            writer.WriteStringValue(channel);
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
    });
}
