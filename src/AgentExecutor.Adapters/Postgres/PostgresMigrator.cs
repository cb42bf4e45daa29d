using System.Globalization;
using System.Reflection;
using AgentExecutor.Core;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Brings the schema to a version, one migration a transaction, each under an advisory lock: however many try at once, each migration is applied once.
/// <c>scripts/ci/run-migrations.sh</c> does the same with psql, and keeps the same record.
/// </summary>
internal sealed class PostgresMigrator(PostgresAccess access, string schema, ILogger logger)
{
    private const string TableLockTimeout = "3s";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>The migrations of this program, from version 1 on.</summary>
    public static readonly IReadOnlyList<Migration> All = ReadAll();

    /// <summary>Brings the schema to this version, up or down; the newest where none is given. Returns the versions before and after.</summary>
    public async Task<(int Before, int After)> MigrateAsync(int? target, CancellationToken cancellationToken)
    {
        var wanted = target ?? All.Count;
        if (wanted < 0 || wanted > All.Count)
        {
            throw new FaultException(FaultCodes.InvalidInput, $"there is no version {wanted}", $"this program knows 0 to {All.Count}");
        }
        var before = await VersionAsync(cancellationToken);
        var version = before;
        while (version < wanted || (target is not null && version > wanted))
        {
            version = await StepAsync(wanted, cancellationToken);
        }
        return (before, version);
    }

    /// <summary>The version of the schema; 0 where there is none.</summary>
    public Task<int> VersionAsync(CancellationToken cancellationToken) => access.RunAsync(
        (connection, cancel) => VersionAsync(connection, cancel), cancellationToken, TimeSpan.Zero);

    /// <summary>Fails where the schema is older than this program needs. A newer one is fine: migrations leave what the program before them uses.</summary>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        var version = await VersionAsync(cancellationToken);
        if (version < All.Count)
        {
            throw new FaultException(
                FaultCodes.StoreUnavailable, $"the schema '{schema}' has version {version}, and this program needs {All.Count}", "bring it up to date with: agent-executor migrate");
        }
    }

    /// <summary>Applies or undoes one migration, or finds that another did.</summary>
    private Task<int> StepAsync(int wanted, CancellationToken cancellationToken) => access.RunAsync(
        async (connection, cancel) =>
        {
            await using var transaction = await connection.BeginTransactionAsync(cancel);
            await ExecuteAsync(connection, "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0", cancel); // one after another, however long that takes
            await connection.RunAsync("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [$"agent_executor_migrations:{schema}"], cancel);
            // Whoever waits for a table makes all others wait behind it: rather try again than wait long.
            await ExecuteAsync(connection, $"SET LOCAL lock_timeout = '{TableLockTimeout}'; DO $$ BEGIN IF to_regnamespace('{schema}') IS NULL THEN CREATE SCHEMA {schema}; END IF; END $$;"
                + $" SET LOCAL search_path TO {schema}; CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())", cancel);
            var version = await VersionAsync(connection, cancel);
            if (version < wanted)
            {
                var next = All[version];
                await ExecuteAsync(connection, next.Up, cancel);
                await connection.RunAsync("INSERT INTO schema_migrations (version, name) VALUES ($1, $2)", [next.Version, next.Name], cancel);
                Log.Migrated(logger, next.Version, next.Name);
                version++;
            }
            else if (version > wanted && version <= All.Count)
            {
                var last = All[version - 1];
                await ExecuteAsync(connection, last.Down, cancel);
                await connection.RunAsync("DELETE FROM schema_migrations WHERE version = $1", [last.Version], cancel);
                Log.Undone(logger, last.Version, last.Name);
                version--;
            }
            else if (version > wanted)
            {
                throw new FaultException(
                    FaultCodes.InvalidInput, $"the schema '{schema}' has version {version}, which this program does not know", "undo it with the program that applied it");
            }
            await transaction.CommitAsync(cancel);
            return version;
        },
        cancellationToken,
        Patience);

    private async Task<int> VersionAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var exists = connection.With("SELECT to_regclass($1) IS NOT NULL", $"{schema}.schema_migrations");
        if (await exists.ExecuteScalarAsync(cancellationToken) is not true)
        {
            return 0;
        }
        await using var newest = connection.With($"SELECT coalesce(max(version), 0) FROM {schema}.schema_migrations");
        return Convert.ToInt32(await newest.ExecuteScalarAsync(cancellationToken), CultureInfo.InvariantCulture);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static List<Migration> ReadAll()
    {
        const string Folder = ".Postgres.Migrations.";
        var assembly = Assembly.GetExecutingAssembly();
        string Read(string name)
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            return reader.ReadToEnd();
        }
        return
        [
            .. assembly.GetManifestResourceNames().Where(name => name.Contains(Folder, StringComparison.Ordinal) && name.EndsWith(".up.sql", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal)
                .Select((name, index) => new Migration(
                    index + 1,
                    name[(name.IndexOf(Folder, StringComparison.Ordinal) + Folder.Length + "0001_".Length)..^".up.sql".Length],
                    Read(name),
                    Read(name.Replace(".up.sql", ".down.sql", StringComparison.Ordinal)))),
        ];
    }

    /// <summary>One step of the schema, both ways.</summary>
    public sealed record Migration(int Version, string Name, string Up, string Down);
}
