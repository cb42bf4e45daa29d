using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using AgentExecutor.Core;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Migrates the schema to a version. Each migration is one transaction under an advisory lock, so that it is applied once, however many
/// processes try at the same time. <c>scripts/ci/run-migrations.sh</c> does the same with psql and writes the same records.
/// </summary>
internal sealed partial class PostgresMigrator(PostgresAccess access, string schema, ILogger logger)
{
    /// <summary>
    /// Starts the transaction of one migration, which may take any time. But a transaction that waits for a table makes all others wait
    /// behind it, so it gives up soon and is retried.
    /// </summary>
    private const string Begin = """
        SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;
        SELECT pg_advisory_xact_lock(hashtextextended('agent_executor_migrations:$schema', 0));
        SET LOCAL lock_timeout = '3s';
        DO $$ BEGIN IF to_regnamespace('$schema') IS NULL THEN CREATE SCHEMA "$schema"; END IF; END $$;
        CREATE TABLE IF NOT EXISTS $schema.schema_migrations (
            version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())
        """;

    /// <summary>
    /// Settings for the transaction of a migration. Its statements name tables without a schema and, unlike those of the program, may scan
    /// whole tables.
    /// </summary>
    private const string Settings = """
        SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '3s'; SET LOCAL search_path TO "$schema";
        SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on;
        """;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>The migrations of this program, starting with version 1.</summary>
    public static readonly IReadOnlyList<Migration> All = ReadAll();

    /// <summary>
    /// Migrates the schema up or down to this version, or to the newest one if it is null. Returns the versions before and after.
    /// </summary>
    public async Task<(int Before, int After)> MigrateAsync(int? target, CancellationToken cancellationToken)
    {
        var wanted = target ?? All.Count;
        if (wanted < 0 || wanted > All.Count)
        {
            throw new FaultException(
                FaultCodes.InvalidInput,
                $"there is no schema version {wanted}",
                $"use a version from 0 to {All.Count}"
            );
        }
        var before = await VersionAsync(cancellationToken);
        if (wanted >= before)
        {
            // A schema that an older version of the program created in such a database can still be removed.
            await CheckEncodingAsync(cancellationToken);
        }
        var version = before;
        while (version < wanted || (target is not null && version > wanted))
        {
            version = await StepAsync(wanted, cancellationToken);
        }
        return (before, version);
    }

    /// <summary>Lists what reverting the migrations above a version deletes, newest first.</summary>
    public static IReadOnlyList<string> LossesOf(int version, int target) =>
        [
            .. All.Where(migration => migration.Version <= version && migration.Version > target)
                .Reverse()
                .Select(migration => $"version {migration.Version} ({migration.Name}): {Dropped(migration.Down)}"),
        ];

    private static string Dropped(string down)
    {
        var (dropped, owner) = (new List<string>(), "");
        foreach (Match match in LossStatement().Matches(down))
        {
            if (match.Groups["owner"].Success)
            {
                owner = match.Groups["owner"].Value;
            }
            else if (match.Groups["table"].Success)
            {
                dropped.Add($"the table {match.Groups["table"].Value} with all its rows");
            }
            else if (match.Groups["rows"].Success)
            {
                dropped.Add($"rows of the table {match.Groups["rows"].Value}");
            }
            else
            {
                dropped.Add($"the column {owner}.{match.Groups["column"].Value}");
            }
        }
        return dropped.Count > 0 ? string.Join(", ", dropped.Distinct()) : "no data";
    }

    /// <summary>
    /// Matches the statements that delete data, and ALTER TABLE, which names the table whose columns the following clauses drop.
    /// </summary>
    [GeneratedRegex(
        @"DROP\s+TABLE\s+(IF\s+EXISTS\s+)?(?<table>\w+)|(DELETE\s+FROM|TRUNCATE(\s+TABLE)?)\s+(ONLY\s+)?(?<rows>\w+)"
            + @"|ALTER\s+TABLE\s+(IF\s+EXISTS\s+)?(ONLY\s+)?(?<owner>\w+)|DROP\s+COLUMN\s+(IF\s+EXISTS\s+)?(?<column>\w+)",
        RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture
    )]
    private static partial Regex LossStatement();

    /// <summary>Returns the version of the schema, or 0 if there is none.</summary>
    public Task<int> VersionAsync(CancellationToken cancellationToken) =>
        access.RunAsync((connection, cancel) => VersionAsync(connection, cancel), cancellationToken, TimeSpan.Zero);

    /// <summary>
    /// Fails if the schema is older than this program requires. A newer schema is accepted, because migrations keep what the previous
    /// version of the program uses.
    /// </summary>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        var version = await VersionAsync(cancellationToken);
        if (version == 0)
        {
            throw new FaultException(
                FaultCodes.StoreUnavailable,
                $"the schema '{schema}' is missing in the database",
                "create it with: agent-executor migrate"
            );
        }
        if (version < All.Count)
        {
            throw new FaultException(
                FaultCodes.StoreUnavailable,
                $"the schema '{schema}' has version {version}, but this program requires version {All.Count}",
                "migrate it with: agent-executor migrate"
            );
        }
    }

    /// <summary>
    /// Fails if the database cannot store every character. Otherwise a run would fail at the first text that the encoding cannot represent.
    /// </summary>
    private Task<bool> CheckEncodingAsync(CancellationToken cancellationToken) =>
        access.RunAsync(
            async (connection, cancel) =>
            {
                await using var command = connection.With(
                    "SELECT current_setting('server_encoding') AS encoding, current_database()::text AS database"
                );
                await using var row = await command.ExecuteReaderAsync(cancel);
                await row.ReadAsync(cancel);
                var encoding = row.Text("encoding");
                return encoding is "UTF8"
                    ? true
                    : throw new FaultException(
                        "invalid_settings",
                        $"the database '{row.Text("database")}' has the encoding {encoding}, which cannot store every character; "
                            + "UTF8 is required",
                        "create another database with: CREATE DATABASE agent_executor ENCODING 'UTF8' TEMPLATE template0; "
                            + "and set POSTGRES_DB or DATABASE_URL to it"
                    );
            },
            cancellationToken,
            TimeSpan.Zero
        );

    /// <summary>Applies or reverts one migration, unless another process has done so.</summary>
    private Task<int> StepAsync(int wanted, CancellationToken cancellationToken) =>
        access.RunAsync(
            async (connection, cancel) =>
            {
                await using var transaction = await connection.BeginTransactionAsync(cancel);
                await connection.RunScriptAsync(Begin, cancel);
                var version = await VersionAsync(connection, cancel);
                if (version < wanted)
                {
                    var next = All[version];
                    await connection.RunScriptAsync($"{Settings} {next.Up}", cancel);
                    await connection.RunAsync(
                        "INSERT INTO $schema.schema_migrations (version, name) VALUES ($1, $2)",
                        [next.Version, next.Name],
                        cancel
                    );
                    Log.Migrated(logger, next.Version, next.Name);
                    version++;
                }
                else if (version > wanted && version <= All.Count)
                {
                    var last = All[version - 1];
                    await connection.RunScriptAsync($"{Settings} {last.Down}", cancel);
                    await connection.RunAsync("DELETE FROM $schema.schema_migrations WHERE version = $1", [last.Version], cancel);
                    Log.Undone(logger, last.Version, last.Name);
                    version--;
                }
                else if (version > wanted)
                {
                    throw new FaultException(
                        FaultCodes.InvalidInput,
                        $"the schema '{schema}' has version {version}, which this program does not know",
                        "revert it with the version of the program that applied it"
                    );
                }
                await transaction.CommitAsync(cancel);
                return version;
            },
            cancellationToken,
            Patience
        );

    private static async Task<int> VersionAsync(PostgresConnection connection, CancellationToken cancellationToken)
    {
        await using var exists = connection.With("SELECT to_regclass('$schema.schema_migrations') IS NOT NULL");
        if (await exists.ExecuteScalarAsync(cancellationToken) is not true)
        {
            return 0;
        }
        await using var newest = connection.With("SELECT coalesce(max(version), 0) FROM $schema.schema_migrations");
        return Convert.ToInt32(await newest.ExecuteScalarAsync(cancellationToken), CultureInfo.InvariantCulture);
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
            .. assembly
                .GetManifestResourceNames()
                .Where(name => name.Contains(Folder, StringComparison.Ordinal) && name.EndsWith(".up.sql", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal)
                .Select(
                    (name, index) =>
                        new Migration(
                            index + 1,
                            name[(name.IndexOf(Folder, StringComparison.Ordinal) + Folder.Length + "0001_".Length)..^".up.sql".Length],
                            Read(name),
                            Read(name.Replace(".up.sql", ".down.sql", StringComparison.Ordinal))
                        )
                ),
        ];
    }

    /// <summary>One migration of the schema, in both directions.</summary>
    public sealed record Migration(int Version, string Name, string Up, string Down);
}
