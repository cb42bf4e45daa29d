using System.CommandLine;
using System.Runtime.InteropServices;
using AgentExecutor.Core;
using AgentExecutor.Server.Logging;
using AgentExecutor.Server.Roles;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor serve</c>: the long-running service.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        var roles = new Option<string?>("--roles") { Description = "What to do: all, or some of executor and janitor, with commas (ROLES)." };
        var port = new Option<int?>("--port") { Description = "Listen for HTTP here (PORT; 8080); 0 for any free port." };
        var dataDir = CommonOptions.DataDir();
        var command = new Command("serve", "Take jobs from NATS, HTTP or the queue and run them, until SIGTERM or Ctrl-C. Logs JSON lines to standard output.") { roles, port, dataDir };
        command.SetAction(async (result, _) =>
        {
            var settings = SettingsReader.FromEnvironment();
            settings = settings with { Port = result.GetValue(port) ?? settings.Port };
            settings = result.GetValue(dataDir) is { } directory ? settings with { DataDir = directory, Postgres = new() } : settings;
            if (settings.Port is < 0 or > 65535)
            {
                throw new FaultException("invalid_settings", $"PORT: {settings.Port} is no port", "use 0 to 65535");
            }
            var active = RoleNames.Parse(result.GetValue(roles) ?? settings.Roles);
            using var loggers = new LineLoggers(Console.Out, LineLoggers.Level(settings.LogLevel), isJson: true, TimeProvider.System);
            using var stopping = new CancellationTokenSource();
            void Stop(PosixSignalContext context)
            {
                context.Cancel = true;
                stopping.Cancel();
            }
            using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
            using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
            await new ServiceHost(settings, active, loggers).RunAsync(stopping.Token);
            return ExitCode.Success;
        });
        return command;
    }
}
