using System.Security.Cryptography;
using System.Text;
using AgentExecutor.Core;

namespace AgentExecutor.Server.Locks;

/// <summary>
/// Prevents two processes on one machine from running the same thread, with one locked file per thread. A killed run can be resumed at
/// once, because the operating system releases the lock with the process.
/// </summary>
internal static class ThreadLock
{
    /// <exception cref="FaultException"><see cref="FaultCodes.ThreadBusy"/>: another process is running the thread.</exception>
    public static LockFile Take(string dataDir, string threadId) =>
        LockFile.TryTake(dataDir, NameOf(threadId))
        ?? throw new FaultException(
            FaultCodes.ThreadBusy,
            $"another process is running the thread '{threadId}'",
            "wait until it ends, or stop it with Ctrl-C"
        );

    /// <summary>Whether a process is running the thread.</summary>
    public static bool IsHeld(string dataDir, string threadId)
    {
        try
        {
            using var held = LockFile.TryTake(dataDir, NameOf(threadId));
            return held is null;
        }
        catch (FaultException)
        {
            return true; // without a lock file it is unknown, so assume that a process is running it
        }
    }

    private static string NameOf(string threadId) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(threadId)))[..32];
}
