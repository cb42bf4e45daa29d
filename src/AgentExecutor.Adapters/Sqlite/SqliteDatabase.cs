using System.Reflection;
using AgentExecutor.Core;
using Microsoft.Data.Sqlite;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>The database file: opens connections to it and brings its schema up to date.</summary>
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

    public static bool Exists(string directory) => File.Exists(Path.Combine(directory, FileName));

    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>: the file cannot be opened, or is of a newer version.</exception>
    public static SqliteDatabase Open(SqliteSettings settings)
    {
        SqliteNative.Ensure();
        try
        {
            Directory.CreateDirectory(settings.Directory);
            var database = new SqliteDatabase(settings);
            database.Migrate();
            return database;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or SqliteException)
        {
            throw new FaultException(
                FaultCodes.StoreUnavailable,
                $"the database in '{settings.Directory}' cannot be opened: {exception.Message}",
                "name a directory that can be written with --data-dir or DATA_DIR", exception);
        }
    }

    /// <summary>A connection that reads: nothing to set, for the file itself says that it is in WAL mode.</summary>
    public SqliteConnection ConnectToRead()
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = _path, DefaultTimeout = BusySeconds }.ToString());
        connection.Open();
        return connection;
    }

    public SqliteConnection Connect()
    {
        var connection = ConnectToRead();
        Execute(connection, $"""
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = {(_settings.SyncEveryCommit ? "FULL" : "NORMAL")};
            PRAGMA busy_timeout = {BusySeconds * 1000};
            PRAGMA cache_size = -16384;
            """);
        return connection;
    }

    public static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private void Migrate()
    {
        using var connection = Connect();
        var migrations = Migrations().ToList();
        Execute(connection, "BEGIN IMMEDIATE");
        var version = Version(connection);
        if (version > migrations.Count)
        {
            throw new FaultException(
                FaultCodes.StoreUnavailable,
                $"the database in '{_settings.Directory}' has schema version {version}, and this program knows {migrations.Count}",
                "use the newer program that wrote it, or another --data-dir");
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
        foreach (var name in assembly.GetManifestResourceNames().Where(name => name.Contains(".Sqlite.Migrations.", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            yield return reader.ReadToEnd();
        }
    }
}
