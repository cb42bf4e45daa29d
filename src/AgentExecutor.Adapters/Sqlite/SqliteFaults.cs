using AgentExecutor.Core;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>Translates errors of SQLite into faults that say what is wrong and how to fix it.</summary>
internal static class SqliteFaults
{
    private const string Writable =
        "give this user write permission for the file and its directory, and mount the file system read-write, "
        + "or use another directory with --data-dir or DATA_DIR";

    public static FaultException OfWrite(SqliteException exception, string path) => Describe(exception, path, "written");

    public static FaultException OfRead(SqliteException exception, string path) => Describe(exception, path, "read");

    /// <summary>
    /// Creates the fault for a file that cannot be opened or migrated. SQLite does not report which file or directory caused the error, so
    /// this method tries to write to the directory.
    /// </summary>
    public static FaultException OfOpening(Exception exception, string path)
    {
        var directory = Path.GetDirectoryName(path)!;
        if (exception is SqliteException sqlite and not { SqliteErrorCode: raw.SQLITE_CANTOPEN })
        {
            return Describe(sqlite, path, "opened");
        }
        var reason = exception is SqliteException ? FindWriteError(directory) : exception.Message;
        return reason is null
            ? Describe((SqliteException)exception, path, "opened")
            : new FaultException(
                FaultCodes.StoreUnavailable,
                $"the database '{path}' cannot be opened: its directory cannot be written ({reason})",
                Writable,
                exception
            );
    }

    /// <summary>Returns why a file of this size cannot be written in the directory, or null if it can.</summary>
    public static string? FindWriteError(string directory, int bytes = 0)
    {
        try
        {
            using var file = new FileStream(
                Path.Combine(directory, $"agent-executor.probe-{Guid.NewGuid():n}"),
                FileMode.CreateNew,
                FileAccess.Write,
                FileShare.None,
                1,
                FileOptions.DeleteOnClose
            );
            file.Write(new byte[bytes]);
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return exception.Message;
        }
    }

    private static FaultException Describe(SqliteException exception, string path, string verb)
    {
        var (reason, hint) = exception.SqliteErrorCode switch
        {
            raw.SQLITE_FULL => ("the disk is full", "free space on the disk; runs wait and continue afterwards"),
            raw.SQLITE_READONLY => ("the file, or its directory, is read-only", Writable),
            raw.SQLITE_CANTOPEN => ("the file, or another file in its directory, cannot be opened", Writable),
            raw.SQLITE_PERM => ("this user has no permission for the file", Writable),
            raw.SQLITE_BUSY or raw.SQLITE_LOCKED => (
                "another process has locked it",
                "wait until the other process has released the file, or end that process"
            ),
            raw.SQLITE_CORRUPT => ("the file is damaged", "restore it from a backup, or use another directory with --data-dir or DATA_DIR"),
            raw.SQLITE_NOTADB => (
                "the file is not a SQLite database",
                "move the file to another place, or use another directory with --data-dir or DATA_DIR"
            ),
            raw.SQLITE_IOERR => ("the disk reported an error", "look for errors of the disk in the log of the system"),
            _ => ("SQLite reported an error", "check that the file exists and is not damaged"),
        };
        return new FaultException(
            FaultCodes.StoreUnavailable,
            $"the database '{path}' cannot be {verb}: {reason} ({exception.Message.TrimEnd('.')})",
            hint,
            exception
        );
    }
}
