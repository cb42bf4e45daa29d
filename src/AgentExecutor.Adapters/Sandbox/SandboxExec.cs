using System.Text;
using AgentExecutor.Adapters.Sandbox.Linux;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>
/// The command <c>agent-executor sandbox-exec</c>: gives up what the program must not have, and becomes the program.
/// <list type="number">
/// <item>Read the policy from standard input, whose rest belongs to the program.</item>
/// <item>Begin a session, so that a signal to the group of the process reaches everything that it starts.</item>
/// <item>Become the unprivileged user, and ask the kernel to end this process with the service.</item>
/// <item>With namespaces: become bubblewrap, which creates them, installs the filter and starts the program.</item>
/// <item>Without: restrict files and signals (Landlock), resources and system calls (seccomp), and become the program.</item>
/// </list>
/// Before the last step it writes one line to standard output: <c>ok</c>, or a sentence that says what is missing.
/// </summary>
internal static unsafe class SandboxExec
{
    public const string Ready = "ok";

    /// <summary>The exit code if the sandbox could not be set up.</summary>
    public const int Failed = 125;

    private const int SetParentDeathSignal = 1;
    private const int SetNoNewPrivileges = 38;
    private const int SetSystemCallFilter = 22;
    private const int ReadAndExecute = 5;
    private const int Readable = 4;
    private const int Writable = 2;

    /// <summary>Only returns if the program could not be started.</summary>
    public static int Run()
    {
        try
        {
            var policy = ReadPolicy();
            Detach();
            BecomeUser(policy);
            CheckPaths(policy);
            if (policy.Level == SandboxLevel.Namespaces)
            {
                BecomeBubblewrap(policy);
            }
            else
            {
                BecomeProgram(policy);
            }
            return Failed;
        }
        catch (KernelException exception)
        {
            Write(1, exception.Message.ReplaceLineEndings(" ") + "\n");
            return Failed;
        }
    }

    private static SandboxPolicy ReadPolicy()
    {
        var length = ReadExactly(sizeof(int));
        return SandboxPolicy.Read(ReadExactly(BitConverter.ToInt32(length)));
    }

    private static byte[] ReadExactly(int count)
    {
        var buffer = new byte[count];
        fixed (byte* start = buffer)
        {
            var read = 0;
            while (read < count)
            {
                var got = Libc.Read(0, start + read, (nuint)(count - read));
                if (got <= 0)
                {
                    throw new KernelException("the policy is incomplete; this command is only for AgentExecutor itself");
                }
                read += (int)got;
            }
        }
        return buffer;
    }

    /// <summary>
    /// Gives up the terminal, the signal settings of .NET, the open files, and the protection against the kernel's OOM killer.
    /// </summary>
    private static void Detach()
    {
        _ = Libc.NewSession();
        _ = Libc.SetSignal(Libc.SignalPipe, 0);
        _ = Libc.SetFileMask(0x3f); // 077
        try
        {
            File.WriteAllText("/proc/self/oom_score_adj", "1000");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Then the kernel chooses by size.
        }
    }

    private static void BecomeUser(SandboxPolicy policy)
    {
        if (policy.User is { } user)
        {
            KernelException.ThrowIf(Libc.SetGroups(0, null) < 0, "the groups of the service cannot be given up");
            KernelException.ThrowIf(Libc.SetGroup(user, user, user) < 0, $"the group {user} cannot be used");
            KernelException.ThrowIf(Libc.SetUser(user, user, user) < 0, $"the user {user} cannot be used");
        }
        if (Libc.GetUserId() == 0)
        {
            throw new KernelException("programs in the sandbox never run as root, and no other user was named");
        }
        // Changing the user clears this, so it comes after.
        _ = Libc.ProcessControl(SetParentDeathSignal, Libc.SignalKill, 0, 0, 0);
        if (Libc.GetParentId() != policy.ServiceProcess)
        {
            throw new KernelException("the service has ended");
        }
    }

    private static void CheckPaths(SandboxPolicy policy)
    {
        foreach (var path in policy.ReadablePaths)
        {
            KernelException.ThrowIf(Libc.Access(path, Readable) < 0, $"'{path}' cannot be read by user {Libc.GetUserId()}");
        }
        foreach (var path in policy.WritablePaths)
        {
            KernelException.ThrowIf(Libc.Access(path, Readable | Writable) < 0, $"'{path}' cannot be changed by user {Libc.GetUserId()}");
        }
        KernelException.ThrowIf(
            Libc.Access(policy.Program, ReadAndExecute) < 0,
            $"'{policy.Program}' cannot be executed by user {Libc.GetUserId()}"
        );
    }

    private static void BecomeBubblewrap(SandboxPolicy policy)
    {
        CloseFilesOnExecute();
        var filter = Filter(policy, new SystemCallRules { HasNamespaces = true, AllowsInternet = policy.EgressSocket.Length > 0 });
        var list = BubblewrapArguments.Create(policy, MemoryFile(filter), MemoryFile);
        var arguments = MemoryFile(Encoding.UTF8.GetBytes(string.Join('\0', list) + "\0"));
        var command = NativeStrings.Of(["bwrap", "--args", $"{arguments}", "--", .. BubblewrapArguments.Command(policy)]);
        Become(NativeStrings.Of(Bubblewrap.Find()!), command, NativeStrings.Of([]), policy.Limits);
    }

    private static void BecomeProgram(SandboxPolicy policy)
    {
        CloseFilesOnExecute();
        KernelException.ThrowIf(Libc.ChangeDirectory(policy.Folder + "/work") < 0, "the work folder cannot be entered");
        var program = NativeStrings.Of(policy.Program);
        var arguments = NativeStrings.Of([policy.Program, .. policy.Arguments]);
        var variables = NativeStrings.Of([.. policy.Variables.Select(it => $"{it.Key}={it.Value}")]);
        ResourceLimits.LimitProcesses(policy.Limits.Processes + (policy.User is null ? ResourceLimits.CountOf(Libc.GetUserId()) : 0));
        KernelException.ThrowIf(Libc.ProcessControl(SetNoNewPrivileges, 1, 0, 0, 0) < 0, "the kernel does not support no_new_privs");
        if (policy.Level == SandboxLevel.Restricted)
        {
            Restrict(policy);
        }
        Become(program, arguments, variables, policy.Limits);
    }

    /// <summary>
    /// Reports that all is ready, and executes the program. Memory is limited last, because .NET needs more than the program. Each call was
    /// made before, so that nothing must be compiled any more.
    /// </summary>
    private static void Become(byte* program, byte** arguments, byte** variables, SandboxLimits limits)
    {
        var nothing = stackalloc byte[1];
        var ready = stackalloc byte[] { (byte)'o', (byte)'k', (byte)'\n' };
        _ = Libc.Execute(nothing, arguments, variables);
        _ = Libc.Write(1, ready, 0);
        ResourceLimits.Apply(limits);
        _ = Libc.Write(1, ready, 3);
        _ = Libc.Execute(program, arguments, variables);
        Write(2, "agent-executor: the program cannot be started\n");
    }

    private static void Restrict(SandboxPolicy policy)
    {
        var landlock = Landlock.Version();
        var filter = Filter(
            policy,
            new SystemCallRules
            {
                SharesUser = policy.User is null,
                RefusesSignals = policy.User is null && !Landlock.HasScopes(landlock),
                RefusesTruncate = !Landlock.HasTruncate(landlock),
                ProcessId = Libc.GetProcessId(),
            }
        );
        RestrictFiles(policy, landlock);
        InstallFilter(filter);
    }

    private static void RestrictFiles(SandboxPolicy policy, int landlock)
    {
        if (landlock == 0)
        {
            throw new KernelException("the kernel has no Landlock (it needs Linux 5.13 or later, and 'landlock' in its lsm= list)");
        }
        Landlock.Restrict(
            landlock,
            [.. SystemPaths.Folders, .. SystemPaths.RootFolders, .. SystemPaths.Etc, .. SystemPaths.Machine, .. policy.ReadablePaths],
            [.. SystemPaths.Devices, policy.Folder, .. policy.WritablePaths]
        );
    }

    private static byte[] Filter(SandboxPolicy policy, SystemCallRules rules)
    {
        var architecture =
            ThisArchitecture.Find() ?? throw new KernelException("the system call filter supports only x86-64 and 64-bit ARM");
        return SystemCallFilter.Build(
            architecture,
            rules with
            {
                RefusesSharedMemory = policy.Limits.AddressSpaceBytes > policy.Limits.MemoryBytes,
            }
        );
    }

    private static void InstallFilter(byte[] filter)
    {
        fixed (byte* instructions = filter)
        {
            // struct sock_fprog: the number of instructions, and after padding their address.
            var program = stackalloc ulong[] { (ulong)(filter.Length / 8), (ulong)instructions };
            const int FilterMode = 2;
            KernelException.ThrowIf(
                Libc.ProcessControl(SetSystemCallFilter, FilterMode, (nuint)program, 0, 0) < 0,
                "the kernel does not support seccomp filters"
            );
        }
    }

    /// <summary>Keeps the program from inheriting files that this process has open, other than standard input, output and error.</summary>
    private static void CloseFilesOnExecute()
    {
        const int CloseOnExecute = 4;
        if (Libc.SystemCall(SystemCalls.CloseRange.X64, 3, int.MaxValue, CloseOnExecute, 0) == 0)
        {
            return;
        }
        for (var file = 3; file < 1024; file++)
        {
            _ = Libc.FileControl(file, command: 2, argument: 1);
        }
    }

    /// <summary>An open file in memory, which the next program inherits.</summary>
    private static int MemoryFile(byte[] content)
    {
        var call = SystemCalls.MemoryFile.On(ThisArchitecture.Find()!.Value);
        var file = (int)Libc.SystemCall(call, (nint)NativeStrings.Of("sandbox"), 0, 0, 0);
        KernelException.ThrowIf(file < 0, "a file in memory cannot be created");
        Write(file, content);
        _ = Libc.Seek(file, 0, 0);
        return file;
    }

    private static void Write(int file, string text) => Write(file, Encoding.UTF8.GetBytes(text));

    private static void Write(int file, byte[] content)
    {
        fixed (byte* start = content)
        {
            var written = 0;
            while (written < content.Length)
            {
                var count = Libc.Write(file, start + written, (nuint)(content.Length - written));
                if (count <= 0)
                {
                    return; // the reader has gone
                }
                written += (int)count;
            }
        }
    }
}
