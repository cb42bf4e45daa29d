using AgentExecutor.Adapters.Sandbox.Linux;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>Sets the limits of this process, which it cannot raise again, and which everything that it starts inherits.</summary>
internal static unsafe class ResourceLimits
{
    private const int Cpu = 0;
    private const int FileSize = 1;
    private const int Data = 2;
    private const int Core = 4;
    private const int Processes = 6;
    private const int OpenFiles = 7;
    private const int LockedMemory = 8;
    private const int AddressSpace = 9;
    private const int PendingSignals = 11;
    private const int MessageQueues = 12;
    private const int RealTimePriority = 14;

    private const ulong MaxOpenFiles = 512;
    private const ulong MaxPendingSignals = 512;

    /// <summary>Sets all limits but that of the number of processes.</summary>
    public static void Apply(SandboxLimits limits)
    {
        Set(Core, 0);
        Set(LockedMemory, 0);
        Set(MessageQueues, 0);
        Set(RealTimePriority, 0);
        Set(PendingSignals, MaxPendingSignals);
        Set(OpenFiles, MaxOpenFiles);
        Set(FileSize, (ulong)limits.FileBytes);
        if (limits.CpuTime != Timeout.InfiniteTimeSpan)
        {
            // At the first limit the process receives SIGXCPU, and at the second one SIGKILL.
            var seconds = (ulong)Math.Max(1, Math.Ceiling(limits.CpuTime.TotalSeconds));
            Set(Cpu, seconds, seconds + 1);
        }
        Set(Data, (ulong)limits.MemoryBytes);
        Set(AddressSpace, (ulong)limits.AddressSpaceBytes);
    }

    /// <summary>Limits the processes and threads of the user.</summary>
    public static void LimitProcesses(int count) => Set(Processes, (ulong)count);

    /// <summary>
    /// Counts the processes and threads of a user, which the limit of a user id that is shared with the service includes.
    /// </summary>
    public static int CountOf(uint user)
    {
        var count = 0;
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (char.IsAsciiDigit(folder[^1]) && UserAndThreads(folder) is var (owner, threads) && owner == user)
            {
                count += threads;
            }
        }
        return count;
    }

    private static (uint User, int Threads)? UserAndThreads(string folder)
    {
        try
        {
            var (user, threads) = (uint.MaxValue, 0);
            foreach (var line in File.ReadLines($"{folder}/status"))
            {
                if (line.StartsWith("Uid:", StringComparison.Ordinal))
                {
                    user = uint.Parse(line.Split('\t')[1], System.Globalization.CultureInfo.InvariantCulture);
                }
                else if (line.StartsWith("Threads:", StringComparison.Ordinal))
                {
                    threads = int.Parse(line.Split('\t')[1], System.Globalization.CultureInfo.InvariantCulture);
                }
            }
            return (user, threads);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null; // the process has ended
        }
    }

    private static void Set(int resource, ulong limit) => Set(resource, limit, limit);

    private static void Set(int resource, ulong soft, ulong hard)
    {
        var both = stackalloc ulong[] { soft, hard };
        if (Libc.SetLimit(resource, both) == 0)
        {
            return;
        }
        // The process may already have a lower limit, which it cannot raise.
        KernelException.ThrowIf(
            !Lower(resource, soft),
            $"the resource limit {resource.ToString(System.Globalization.CultureInfo.InvariantCulture)} cannot be set"
        );
    }

    /// <summary>Sets the soft and the hard limit to the present hard limit if that is lower than the wanted one.</summary>
    private static bool Lower(int resource, ulong wanted)
    {
        var present = stackalloc ulong[2];
        if (Libc.GetLimit(resource, present) != 0 || present[1] > wanted)
        {
            return false;
        }
        present[0] = present[1];
        return Libc.SetLimit(resource, present) == 0;
    }
}
