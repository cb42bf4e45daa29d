using System.CommandLine;
using AgentExecutor.Core;
using AgentExecutor.Core.Workers;
using AgentExecutor.Server.Commands.Reports;
using AgentExecutor.Server.Composition;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor prune</c>.</summary>
internal static class PruneCommand
{
    public static Command Create()
    {
        var olderThan = new Option<TimeSpan?>("--older-than")
        {
            HelpName = "DURATION",
            Description = "Delete threads that ended longer ago than this, such as 90s, 15m, 2h or 30d.",
            CustomParser = Durations.Parse,
        };
        var keepThreads = new Option<int?>("--keep-threads")
        {
            HelpName = "N",
            Description = "Keep this many of the most recently ended threads, and delete the other ended threads.",
        };
        var keepLast = new Option<int?>("--keep-last")
        {
            HelpName = "N",
            Description = "Keep this many of the newest checkpoints of each ended thread, and the data needed to rebuild their state.",
        };
        var dryRun = new Option<bool>("--dry-run") { Description = "Print how many threads would be deleted, and delete nothing." };
        var dataDir = CommonOptions.DataDir();
        var command = new Command("prune", "Delete ended threads, or their older checkpoints. Other threads are not changed.")
        {
            olderThan,
            keepThreads,
            keepLast,
            dryRun,
            dataDir,
        };
        command.SetAction(
            async (result, cancellationToken) =>
            {
                var settings = new RetentionSettings
                {
                    FinishedDays = result.GetValue(olderThan)?.TotalDays ?? 0,
                    FinishedThreads = result.GetValue(keepThreads) ?? 0,
                    Checkpoints = result.GetValue(keepLast) ?? 0,
                };
                if (settings is { FinishedDays: 0, FinishedThreads: 0, Checkpoints: 0 })
                {
                    throw new FaultException(
                        FaultCodes.InvalidInput,
                        "no condition is given",
                        "use --older-than, --keep-threads or --keep-last with a value above 0"
                    );
                }
                await using var app = await CommandServices.OpenAsync(
                    CommonOptions.Settings(result, result.GetValue(dataDir)),
                    cancellationToken
                );
                var janitor = new Janitor(
                    app.Runs,
                    app.Services.Checkpoints,
                    app.Store.Retention,
                    app.Outbox,
                    TimeProvider.System,
                    app.Loggers.CreateLogger<Janitor>()
                );
                var swept = await janitor.SweepAsync(settings, result.GetValue(dryRun), cancellationToken);
                Console.WriteLine(
                    result.GetValue(dryRun)
                        ? $"{swept.Threads} threads would be deleted"
                        : $"{swept.Threads} threads and {swept.Checkpoints} checkpoints deleted"
                );
                return ExitCode.Success;
            }
        );
        return command;
    }
}
