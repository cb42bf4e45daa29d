using AgentExecutor.Core;

namespace AgentExecutor.Server.Commands;

/// <summary>
/// Keeps two processes on one machine from running one thread: a locked file a thread under the data directory. The operating system frees it when the
/// process dies, however it dies, so a killed run can be resumed at once.
/// </summary>
internal sealed class ThreadLock : IDisposable
{
    private readonly FileStream _file;

    private ThreadLock(FileStream file) => _file = file;

    /// <exception cref="FaultException"><see cref="FaultCodes.ThreadBusy"/>: another process runs the thread.</exception>
    public static ThreadLock Take(string dataDir, string threadId)
    {
        var directory = Path.Combine(dataDir, "locks");
        Directory.CreateDirectory(directory);
        var name = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(threadId)))[..32];
        try
        {
            return new ThreadLock(new FileStream(
                Path.Combine(directory, $"{name}.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException exception)
        {
            throw new FaultException(
                FaultCodes.ThreadBusy, $"another process runs the thread '{threadId}'", "wait for it, or stop it with Ctrl-C", exception);
        }
    }

    /// <summary>False where no process runs the thread: one that was running it is dead.</summary>
    public static bool IsHeld(string dataDir, string threadId)
    {
        try
        {
            Take(dataDir, threadId).Dispose();
            return false;
        }
        catch (FaultException)
        {
            return true;
        }
    }

    public void Dispose() => _file.Dispose();
}
