namespace AgentExecutor.Adapters.Sandbox.Linux;

/// <summary>
/// Landlock: rules that a thread gives up access with, for itself and everything that it starts. What no rule names is refused.
/// See <c>Documentation/userspace-api/landlock.rst</c> of the kernel.
/// </summary>
internal static unsafe class Landlock
{
    private const ulong Execute = 1 << 0;
    private const ulong WriteFile = 1 << 1;
    private const ulong ReadFile = 1 << 2;
    private const ulong ReadFolder = 1 << 3;
    private const ulong MakeCharacterDevice = 1 << 6;
    private const ulong MakeBlockDevice = 1 << 11;
    private const ulong Truncate = 1 << 14;
    private const ulong DeviceControl = 1 << 15;

    /// <summary>The rights that a rule for a file, and not a folder, may contain.</summary>
    private const ulong FileRights = Execute | WriteFile | ReadFile | Truncate | DeviceControl;

    private const ulong Read = Execute | ReadFile | ReadFolder;

    private const int OpenPath = 0x200000;
    private const int CloseOnExecute = 0x80000;

    /// <summary>The version of the kernel's interface, from 1; 0 if the kernel has no Landlock or it is disabled.</summary>
    public static int Version()
    {
        const int AskVersion = 1;
        return (int)Math.Max(0, Libc.SystemCall(SystemCalls.Landlock.X64, 0, 0, AskVersion, 0));
    }

    /// <summary>True if the kernel can refuse signals and abstract sockets to processes outside.</summary>
    public static bool HasScopes(int version) => version >= 6;

    /// <summary>True if the kernel can refuse to shorten files by their path.</summary>
    public static bool HasTruncate(int version) => version >= 3;

    /// <summary>Restricts the calling thread. It must have <c>no_new_privs</c>.</summary>
    /// <param name="version">The version of the interface, from <see cref="Version"/>.</param>
    /// <param name="readable">Files and folders that may be read and executed. Those that do not exist are skipped.</param>
    /// <param name="writable">Folders and devices that may also be changed.</param>
    /// <exception cref="KernelException">The kernel refused.</exception>
    public static void Restrict(int version, IEnumerable<string> readable, IEnumerable<string> writable)
    {
        var handled = Handled(version);
        var rules = stackalloc ulong[3];
        rules[0] = handled;
        rules[1] = version >= 4 ? 3ul : 0; // bind and connect of TCP
        rules[2] = HasScopes(version) ? 3ul : 0; // abstract sockets and signals
        var size =
            (
                version switch
                {
                    >= 6 => 3,
                    >= 4 => 2,
                    _ => 1,
                }
            ) * sizeof(ulong);
        var set = (int)Libc.SystemCall(SystemCalls.Landlock.X64, (nint)rules, size, 0, 0);
        KernelException.ThrowIf(set < 0, "Landlock rules cannot be created");
        foreach (var path in readable)
        {
            Allow(set, path, Read & handled);
        }
        foreach (var path in writable)
        {
            Allow(set, path, handled & ~(MakeCharacterDevice | MakeBlockDevice | DeviceControl));
        }
        var restricted = Libc.SystemCall(SystemCalls.LandlockRestrict.X64, set, 0, 0, 0);
        KernelException.ThrowIf(restricted < 0, "Landlock cannot restrict this process");
        _ = Libc.Close(set);
    }

    /// <summary>All rights of the file system that this version controls.</summary>
    private static ulong Handled(int version) =>
        version switch
        {
            1 => (1 << 13) - 1,
            2 => (1 << 14) - 1,
            3 or 4 => (1 << 15) - 1,
            _ => (1 << 16) - 1,
        };

    private static void Allow(int set, string path, ulong rights)
    {
        var file = Libc.Open(path, OpenPath | CloseOnExecute);
        if (file < 0)
        {
            return;
        }
        // struct landlock_path_beneath_attr is packed: 8 bytes of rights, and 4 bytes for the file.
        var rule = stackalloc byte[12];
        *(ulong*)rule = Directory.Exists(path) ? rights : rights & FileRights;
        *(int*)(rule + 8) = file;
        var added = Libc.SystemCall(SystemCalls.LandlockAddRule.X64, set, 1, (nint)rule, 0);
        KernelException.ThrowIf(added < 0, $"Landlock cannot allow '{path}'");
        _ = Libc.Close(file);
    }
}
