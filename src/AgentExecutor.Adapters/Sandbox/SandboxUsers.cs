using AgentExecutor.Adapters.Sandbox.Linux;
using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>
/// The user ids of programs if the service runs as root. Each program has one of its own, so that programs cannot reach each other, and the
/// limit of processes counts only its own.
/// </summary>
internal sealed class SandboxUsers(int first)
{
    public const int Count = 256;

    private readonly Lock _lock = new();
    private readonly Queue<uint> _free = new(Enumerable.Range(first, Count).Select(id => (uint)id));

    /// <summary>True if the service can give programs another user than its own.</summary>
    public static bool CanChange => Libc.GetUserId() == 0;

    /// <summary>Returns a user that no other program has, or null if the service does not run as root.</summary>
    /// <exception cref="FaultException">All of them are in use.</exception>
    public uint? Take()
    {
        if (!CanChange)
        {
            return null;
        }
        lock (_lock)
        {
            return _free.TryDequeue(out var user)
                ? user
                : throw new FaultException(
                    FaultCodes.SandboxUnavailable,
                    $"{Count} programs are running in the sandbox, which is the maximum",
                    "try again later"
                )
                {
                    IsTransient = true,
                };
        }
    }

    /// <summary>Gives a user back whose processes have ended.</summary>
    public void Return(uint? user)
    {
        if (user is { } id)
        {
            lock (_lock)
            {
                _free.Enqueue(id);
            }
        }
    }
}
