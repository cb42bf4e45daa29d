using System.CommandLine;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using AgentExecutor.Server.Commands.Reports;
using AgentExecutor.Server.Composition;
using AgentExecutor.Server.Locks;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor threads</c>.</summary>
internal static class ThreadsCommand
{
    public static Command Create()
    {
        var status = new Option<RunStatus?>("--status") { Description = "List only threads with this status." };
        var limit = new Option<int>("--limit")
        {
            HelpName = "N",
            Description = "The maximum number of threads to list.",
            DefaultValueFactory = _ => 50,
        };
        status.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var text }] && int.TryParse(text, out _)) // the parser accepts the number of an enum value
            {
                var names = Enum.GetNames<RunStatus>().Select(name => name.ToLowerInvariant());
                result.AddError($"--status takes one of {string.Join(", ", names)}, not '{text}'");
            }
        });
        CommonOptions.Range(limit, 1, int.MaxValue);
        var (json, dataDir) = (CommonOptions.Json(), CommonOptions.DataDir());
        var command = new Command("threads", "List the threads, newest first.") { status, limit, json, dataDir };
        command.SetAction(
            async (result, cancellationToken) =>
            {
                await using var app = await CommandServices.OpenAsync(
                    CommonOptions.Settings(result, result.GetValue(dataDir)),
                    cancellationToken
                );
                var table = new TextTable("THREAD", "STATUS", "AGENT", "STEPS", "TOKENS", "UPDATED");
                await foreach (
                    var run in app.Runs.ListAsync(new RunQuery(result.GetValue(status), result.GetValue(limit)), cancellationToken)
                )
                {
                    if (result.GetValue(json))
                    {
                        Console.WriteLine(ToJson(run));
                        continue;
                    }
                    table.Add(
                        run.ThreadId,
                        StatusOf(run, app),
                        run.Name,
                        $"{run.Usage.Supersteps}",
                        $"{run.Usage.Tokens.Total}",
                        $"{run.UpdatedAt:yyyy-MM-dd HH:mm:ss}Z"
                    );
                }
                if (!result.GetValue(json))
                {
                    table.Write(Console.Out, whenEmpty: "There are no threads. Start one with: agent-executor run DEFINITION --input TEXT");
                }
                return ExitCode.Success;
            }
        );
        return command;
    }

    /// <summary>Shows a run without a process as stopped, so that the user knows to resume it.</summary>
    private static string StatusOf(Run run, CommandServices app) =>
        app.Queue is null
        && (run.Status == RunStatus.Pending || (run.Status == RunStatus.Running && !ThreadLock.IsHeld(app.Settings.DataDir, run.ThreadId)))
            ? "stopped"
            : run.Status.ToString().ToLowerInvariant();

    public static string ToJson(Run run) =>
        JsonBytes.WriteText(
            run,
            static (writer, it) =>
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
                    RunJson.WriteFailure(writer, failure);
                    writer.WriteEndObject();
                }
                writer.WriteEndObject();
            }
        );
}
