using System.Reflection;
using AgentExecutor.Core;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>Opens connections to the database file and migrates its schema.</summary>
internal sealed class SqliteDatabase
{
    private const string FileName = "agent-executor.db";
    private const int BusySeconds = 10;

    private readonly SqliteSettings _settings;
    private readonly string _path;

    private SqliteDatabase(SqliteSettings settings)
    {
        _settings = settings;
        _path = Path.Combine(settings.Directory, FileName);
    }

    /// <summary>The path of the file.</summary>
    public string Location => _path;

    public static bool Exists(string directory) => File.Exists(Path.Combine(directory, FileName));

    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.StoreUnavailable"/>: the file cannot be opened, or a newer version of the program has created it.
    /// </exception>
    public static SqliteDatabase Open(SqliteSettings settings, bool mustWrite = false)
    {
        try
        {
            Directory.CreateDirectory(settings.Directory);
            var database = new SqliteDatabase(settings);
            database.Migrate(mustWrite);
            return database;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or SqliteException)
        {
            throw SqliteFaults.OfOpening(exception, Path.Combine(settings.Directory, FileName));
        }
    }

    /// <summary>Opens a connection for reading. It needs no settings, because the file itself records that it is in WAL mode.</summary>
    public SqliteConnection ConnectToRead()
    {
        var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder { DataSource = _path, DefaultTimeout = BusySeconds }.ToString()
        );
        connection.Open();
        return connection;
    }

    /// <summary>Opens a connection for writing.</summary>
    public SqliteConnection Connect()
    {
        var connection = ConnectToRead();
        Execute(
            connection,
            $"""
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = {(_settings.SyncEveryCommit ? "FULL" : "NORMAL")};
            PRAGMA busy_timeout = {BusySeconds * 1000};
            PRAGMA cache_size = -16384;
            """
        );
        return connection;
    }

    public static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private void Migrate(bool mustWrite)
    {
        using var connection = Connect();
        if (mustWrite && raw.sqlite3_db_readonly(connection.Handle, "main") == 1)
        {
            // A pooled connection would stay read-only after the file can be written again.
            SqliteConnection.ClearPool(connection);
            throw new SqliteException("attempt to write a readonly database", raw.SQLITE_READONLY);
        }
        var migrations = Migrations().ToList();
        Execute(connection, "BEGIN IMMEDIATE");
        var version = Version(connection);
        if (version > migrations.Count)
        {
            throw new FaultException(
                FaultCodes.StoreUnavailable,
                $"the database in '{_settings.Directory}' has schema version {version}, but this program supports only {migrations.Count}",
                "use the newer version of the program, or another directory with --data-dir or DATA_DIR"
            );
        }
        foreach (var (sql, number) in migrations.Skip(version).Select((sql, index) => (sql, version + index + 1)))
        {
            Execute(connection, $"{sql}\nPRAGMA user_version = {number};");
        }
        Execute(connection, "COMMIT");
    }

    private static int Version(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA user_version";
        return Convert.ToInt32(command.ExecuteScalar(), System.Globalization.CultureInfo.InvariantCulture);
    }

    private static IEnumerable<string> Migrations()
    {
        var assembly = Assembly.GetExecutingAssembly();
        foreach (
            var name in assembly
                .GetManifestResourceNames()
                .Where(name => name.Contains(".Sqlite.Migrations.", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal)
        )
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            yield return reader.ReadToEnd();
        }
    }
}
