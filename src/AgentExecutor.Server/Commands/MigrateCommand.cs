using System.CommandLine;
using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Server.Commands.Reports;
using AgentExecutor.Server.Logging;
using AgentExecutor.Server.Settings;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor migrate</c>.</summary>
internal static class MigrateCommand
{
    public static Command Create()
    {
        var to = new Option<int?>("--to")
        {
            HelpName = "VERSION",
            Description = "Migrate up or down to this version; 0 drops all tables and their data.",
        };
        var status = new Option<bool>("--status")
        {
            Description = "Print the current and the newest version of the schema, and change nothing.",
        };
        var yes = CommonOptions.Yes("migrating down, which drops tables or columns");
        var command = new Command("migrate", "Migrate the PostgreSQL schema to the newest version.") { to, status, yes };
        command.SetAction(
            async (result, cancellationToken) =>
            {
                var settings = SettingsReader.FromEnvironment(result.GetValue(CommonOptions.Config)).Postgres;
                if (!AdapterCatalog.IsNamed(settings))
                {
                    throw new FaultException(
                        FaultCodes.InvalidInput,
                        "no PostgreSQL server is configured; the embedded database needs no migration",
                        "set POSTGRES_HOST or DATABASE_URL"
                    );
                }
                if (result.GetValue(status))
                {
                    var (version, newest) = await AdapterCatalog.PostgresVersionAsync(
                        settings,
                        TimeProvider.System,
                        LineLoggers.ForCommands,
                        cancellationToken
                    );
                    Console.WriteLine($"schema {settings.Schema}: version {version} of {newest}");
                    return ExitCode.Success;
                }
                using var loggers = new LineLoggers(Console.Error, LogLevel.Information, isJson: false, TimeProvider.System);
                if (
                    result.GetValue(to) is { } target
                    && await AdapterCatalog.PostgresLossesAsync(
                        settings,
                        target,
                        TimeProvider.System,
                        LineLoggers.ForCommands,
                        cancellationToken
                    )
                        is { Count: > 0 } losses
                )
                {
                    Confirmation.Require(result.GetValue(yes), losses);
                }
                var (before, after, last) = await AdapterCatalog.MigratePostgresAsync(
                    settings,
                    result.GetValue(to),
                    TimeProvider.System,
                    loggers,
                    cancellationToken
                );
                Console.WriteLine(
                    before == after
                        ? $"schema {settings.Schema}: version {after} of {last}, nothing to do"
                        : $"schema {settings.Schema}: from version {before} to {after} of {last}"
                );
                return ExitCode.Success;
            }
        );
        return command;
    }
}
