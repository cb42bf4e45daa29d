using AgentExecutor.Core;

namespace AgentExecutor.Server.Locks;

/// <summary>A locked file in the data directory. The operating system releases the lock when the process ends or is killed.</summary>
internal sealed class LockFile : IDisposable
{
    /// <summary>
    /// The errors that .NET reports if another process holds the lock: EWOULDBLOCK on Linux and macOS, ERROR_SHARING_VIOLATION on Windows.
    /// </summary>
    private static readonly int[] LockedByAnother = [11, 35, unchecked((int)0x80070020)];

    private readonly FileStream _file;

    private LockFile(FileStream file) => _file = file;

    /// <summary>Takes the lock. Returns null if another process holds it.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>: the file cannot be created.</exception>
    public static LockFile? TryTake(string dataDir, string name)
    {
        var path = Path.Combine(dataDir, "locks", $"{name}.lock");
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            return new LockFile(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException exception) when (LockedByAnother.Contains(exception.HResult))
        {
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new FaultException(
                FaultCodes.StoreUnavailable,
                $"the lock file '{path}' cannot be written: {exception.Message.TrimEnd('.')}",
                "make the directory writable for this user, on a file system that is mounted read-write, or set --data-dir or DATA_DIR",
                exception
            );
        }
    }

    public void Dispose() => _file.Dispose();
}
