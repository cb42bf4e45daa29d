using System.CommandLine;
using AgentExecutor.Core;
using AgentExecutor.Server.Commands.Reports;
using AgentExecutor.Server.Composition;
using AgentExecutor.Server.Logging;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor serve</c>: the long-running service.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        var roles = new Option<string?>("--roles")
        {
            HelpName = "ROLES",
            Description = "The roles of this process: all, or a comma-separated list of executor and janitor. (ROLES; default all)",
        };
        var port = new Option<int?>("--port")
        {
            HelpName = "N",
            Description = "The HTTP port; 0 selects a free port. (PORT; default 8080)",
        };
        var dataDir = CommonOptions.DataDir();
        var command = new Command(
            "serve",
            "Run the service: execute jobs from NATS, HTTP and the queue until SIGTERM or Ctrl-C. Logs are JSON lines on standard output."
        )
        {
            roles,
            port,
            dataDir,
        };
        command.SetAction(
            async (result, _) =>
            {
                var settings = SettingsReader.FromEnvironment(result.GetValue(CommonOptions.Config));
                settings = settings with { Port = result.GetValue(port) ?? settings.Port };
                settings = result.GetValue(dataDir) is { } directory ? settings with { DataDir = directory, Postgres = new() } : settings;
                if (settings.Port is < 0 or > 65535)
                {
                    throw new FaultException(
                        "invalid_settings",
                        $"--port: {settings.Port} is not a port number",
                        "use a number from 0 to 65535"
                    );
                }
                var active = RoleNames.Parse(result.GetValue(roles) ?? settings.Roles);
                using var loggers = new LineLoggers(Console.Out, LineLoggers.Level(settings.LogLevel), isJson: true, TimeProvider.System);
                await ServeHost.RunAsync(settings, active, loggers);
                return ExitCode.Success;
            }
        );
        return command;
    }
}
