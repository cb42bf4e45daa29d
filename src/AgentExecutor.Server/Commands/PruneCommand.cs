using System.CommandLine;
using AgentExecutor.Core;
using AgentExecutor.Core.Workers;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor prune</c>.</summary>
internal static class PruneCommand
{
    public static Command Create()
    {
        var olderThan = new Option<TimeSpan?>("--older-than") { Description = "Delete threads that ended longer ago: 90s, 15m, 2h, 30d.", CustomParser = Durations.Parse };
        var keepThreads = new Option<int?>("--keep-threads") { Description = "Delete ended threads but for so many, the last ended." };
        var keepLast = new Option<int?>("--keep-last") { Description = "Of each ended thread keep so many checkpoints, the newest, and what their values are rebuilt from." };
        var dryRun = new Option<bool>("--dry-run") { Description = "Say how many threads would be deleted, and delete nothing." };
        var dataDir = CommonOptions.DataDir();
        var command = new Command("prune", "Delete ended threads, or their older checkpoints. Threads that have not ended stay.") { olderThan, keepThreads, keepLast, dryRun, dataDir };
        command.SetAction(async (result, cancellationToken) =>
        {
            var settings = new RetentionSettings
            {
                FinishedDays = result.GetValue(olderThan)?.TotalDays ?? 0,
                FinishedThreads = result.GetValue(keepThreads) ?? 0,
                Checkpoints = result.GetValue(keepLast) ?? 0,
            };
            if (settings is { FinishedDays: 0, FinishedThreads: 0, Checkpoints: 0 })
            {
                throw new FaultException(FaultCodes.InvalidInput, "there is nothing to prune by", "give --older-than, --keep-threads or --keep-last, each above 0");
            }
            await using var app = await App.OpenAsync(CommonOptions.Settings(result.GetValue(dataDir)), cancellationToken);
            var janitor = new Janitor(app.Runs, app.Services.Checkpoints, app.Outbox, TimeProvider.System, app.Loggers.CreateLogger<Janitor>());
            var swept = await janitor.SweepAsync(settings, result.GetValue(dryRun), cancellationToken);
            Console.WriteLine(result.GetValue(dryRun) ? $"{swept.Threads} threads would be deleted" : $"{swept.Threads} threads and {swept.Checkpoints} checkpoints deleted");
            return ExitCode.Success;
        });
        return command;
    }
}
