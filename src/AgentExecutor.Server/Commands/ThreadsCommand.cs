using System.CommandLine;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor threads</c>.</summary>
internal static class ThreadsCommand
{
    public static Command Create()
    {
        var status = new Option<RunStatus?>("--status") { Description = "Only threads that stand here." };
        var limit = new Option<int>("--limit") { Description = "At most so many.", DefaultValueFactory = _ => 50 };
        var (json, dataDir) = (CommonOptions.Json(), CommonOptions.DataDir());
        var command = new Command("threads", "List the threads, last changed first.") { status, limit, json, dataDir };
        command.SetAction(async (result, cancellationToken) =>
        {
            await using var app = await App.OpenAsync(CommonOptions.Settings(result.GetValue(dataDir)), cancellationToken);
            var table = new TextTable("THREAD", "STATUS", "AGENT", "STEPS", "TOKENS", "UPDATED");
            await foreach (var run in app.Runs.ListAsync(new RunQuery(result.GetValue(status), result.GetValue(limit)), cancellationToken))
            {
                if (result.GetValue(json))
                {
                    Console.WriteLine(ToJson(run));
                    continue;
                }
                table.Add(
                    run.ThreadId, StatusOf(run, app), run.Name, $"{run.Usage.Supersteps}", $"{run.Usage.Tokens.Total}", $"{run.UpdatedAt:yyyy-MM-dd HH:mm:ss}Z");
            }
            if (!result.GetValue(json))
            {
                table.Write(Console.Out, whenEmpty: "There are no threads. Start one with: agent-executor run DEFINITION --input TEXT");
            }
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>A run whose process died says so: it is for someone to resume.</summary>
    private static string StatusOf(Run run, App app) => app.Queue is null
        && (run.Status == RunStatus.Pending || (run.Status == RunStatus.Running && !ThreadLock.IsHeld(app.Settings.DataDir, run.ThreadId)))
            ? "stopped"
            : run.Status.ToString().ToLowerInvariant();

    public static string ToJson(Run run) => JsonBytes.WriteText(run, static (writer, it) =>
    {
        writer.WriteStartObject();
        writer.WriteString("thread_id"u8, it.ThreadId);
        writer.WriteString("run_id"u8, it.RunId);
        writer.WriteString("status"u8, it.Status.ToString().ToLowerInvariant());
        writer.WriteString("name"u8, it.Name);
        writer.WriteNumber("attempt"u8, it.Attempt);
        writer.WriteString("created_at"u8, it.CreatedAt);
        writer.WriteString("updated_at"u8, it.UpdatedAt);
        writer.WritePropertyName("usage"u8);
        RunEventJson.WriteUsage(writer, it.Usage);
        if (it.Failure is { } failure)
        {
            writer.WriteStartObject("error"u8);
            RunEventJson.WriteFailure(writer, failure);
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    });
}
