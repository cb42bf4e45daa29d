using System.CommandLine;
using System.Runtime.InteropServices;
using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Core.Workers;
using AgentExecutor.Server.Logging;
using AgentExecutor.Server.Roles;
using AgentExecutor.Server.Settings;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor serve</c>: the long-running service.</summary>
internal static class ServeCommand
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    public static Command Create()
    {
        var roles = new Option<string?>("--roles") { Description = "What to do: all, or some of executor and janitor, with commas (ROLES)." };
        var command = new Command("serve", "Take submitted runs and run them, until SIGTERM or Ctrl-C. Logs JSON lines to standard output.") { roles };
        command.SetAction(async (result, _) =>
        {
            var settings = SettingsReader.FromEnvironment();
            var active = RoleNames.Parse(result.GetValue(roles) ?? settings.Roles);
            if (!AdapterCatalog.IsNamed(settings.Postgres))
            {
                throw new FaultException(
                    FaultCodes.InvalidInput, "'serve' needs a store that workers share, and no PostgreSQL server is named", "set POSTGRES_HOST or DATABASE_URL; without one use: agent-executor run");
            }
            using var loggers = new LineLoggers(Console.Out, LineLoggers.Level(settings.LogLevel), isJson: true, TimeProvider.System);
            using var stopping = new CancellationTokenSource();
            void Stop(PosixSignalContext context)
            {
                context.Cancel = true;
                stopping.Cancel();
            }
            using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
            using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
            var logger = loggers.CreateLogger("AgentExecutor.Server");
            Log.Starting(logger, typeof(App).Assembly.GetName().Version!.ToString(3), active.ToString().ToLowerInvariant(), AdapterCatalog.Describe(settings.Postgres));
            await using var app = await OpenAsync(settings, loggers, logger, stopping.Token);
            if (app is not null)
            {
                await Task.WhenAll(Agents(app, active, stopping.Token));
            }
            return ExitCode.Success;
        });
        return command;
    }

    private static IEnumerable<Task> Agents(App app, Role active, CancellationToken stopping)
    {
        var settings = app.Settings;
        if (active.HasFlag(Role.Executor))
        {
            var worker = new Worker(app.Queue!, app.Executor, app.Keeper!, settings.Worker, TimeProvider.System, app.Loggers);
            yield return worker.RunAsync(TimeSpan.FromSeconds(settings.GraceSeconds), stopping);
        }
        if (active.HasFlag(Role.Janitor))
        {
            var janitor = new Janitor(app.Runs, app.Services.Checkpoints, app.Outbox, TimeProvider.System, app.Loggers.CreateLogger<Janitor>());
            yield return janitor.RunAsync(settings.Retention, stopping);
        }
    }

    /// <summary>Waits for the server and its schema: pods start in any order. Null where it was asked to stop meanwhile.</summary>
    private static async Task<App?> OpenAsync(ServerSettings settings, LineLoggers loggers, ILogger logger, CancellationToken stopping)
    {
        string? told = null;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                return await App.BuildAsync(settings, stopping, loggers: loggers);
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
            {
                if (told != fault.Message)
                {
                    Log.Waiting(logger, told = fault.Message);
                }
                await Task.Delay(Pause, TimeProvider.System, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException)
            {
                break;
            }
        }
        return null;
    }
}
