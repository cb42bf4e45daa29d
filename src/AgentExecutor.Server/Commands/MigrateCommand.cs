using System.CommandLine;
using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Server.Logging;
using AgentExecutor.Server.Settings;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor migrate</c>.</summary>
internal static class MigrateCommand
{
    public static Command Create()
    {
        var to = new Option<int?>("--to") { Description = "Bring the schema to this version, up or down; 0 removes all tables and what is in them." };
        var status = new Option<bool>("--status") { Description = "Print the schema's version and the newest, and change nothing." };
        var command = new Command("migrate", "Bring the PostgreSQL schema up to date.") { to, status };
        command.SetAction(async (result, cancellationToken) =>
        {
            var settings = SettingsReader.FromEnvironment().Postgres;
            if (!AdapterCatalog.IsNamed(settings))
            {
                throw new FaultException(
                    FaultCodes.InvalidInput, "no PostgreSQL server is named; the embedded database needs no migration", "set POSTGRES_HOST or DATABASE_URL");
            }
            if (result.GetValue(status))
            {
                var (version, newest) = await AdapterCatalog.PostgresVersionAsync(settings, TimeProvider.System, LineLoggers.ForCommands, cancellationToken);
                Console.WriteLine($"schema {settings.Schema}: version {version} of {newest}");
                return ExitCode.Success;
            }
            using var loggers = new LineLoggers(Console.Error, LogLevel.Information, isJson: false, TimeProvider.System);
            var (before, after, last) = await AdapterCatalog.MigratePostgresAsync(settings, result.GetValue(to), TimeProvider.System, loggers, cancellationToken);
            Console.WriteLine(before == after
                ? $"schema {settings.Schema}: version {after} of {last}, nothing to do"
                : $"schema {settings.Schema}: from version {before} to {after} of {last}");
            return ExitCode.Success;
        });
        return command;
    }
}
