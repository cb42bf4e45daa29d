using System.Globalization;
using System.Text;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>The arguments of bubblewrap for a policy.</summary>
internal static class BubblewrapArguments
{
    public const string WorkFolder = "/work";

    /// <summary>The user and group that the program sees. They stand for the unprivileged user that runs it.</summary>
    private const string InnerUser = "1000";

    /// <summary>
    /// Sets the number of processes within the namespace, where only the program's own count, and becomes the program. Shells differ in
    /// the letter of the option.
    /// </summary>
    private const string LimitProcesses =
        "if (ulimit -u \"$1\") 2>/dev/null; then ulimit -u \"$1\"; else ulimit -p \"$1\" || exit 125; fi; shift; exec \"$@\"";

    /// <summary>Returns the arguments before the program.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="filter">The open file with the system call filter.</param>
    /// <param name="store">Stores bytes in memory, and returns an open file with them.</param>
    public static List<string> Create(SandboxPolicy policy, int filter, Func<byte[], int> store)
    {
        var size = policy.Limits.FileBytes.ToString(CultureInfo.InvariantCulture);
        List<string> arguments =
        [
            "--unshare-user",
            "--unshare-ipc",
            "--unshare-pid",
            "--unshare-net",
            "--unshare-uts",
            "--unshare-cgroup-try",
            .. (string[])["--uid", InnerUser, "--gid", InnerUser, "--hostname", "sandbox"],
            "--die-with-parent",
            "--new-session",
        ];
        arguments.AddRange(SystemFolders());
        arguments.AddRange(["--proc", "/proc", "--dev", "/dev"]);
        foreach (var folder in (string[])["/dev/shm", "/tmp", WorkFolder])
        {
            arguments.AddRange(["--size", size, "--tmpfs", folder]);
        }
        foreach (var path in policy.ReadablePaths)
        {
            arguments.AddRange(["--ro-bind", path, path]);
        }
        foreach (var path in policy.WritablePaths)
        {
            arguments.AddRange(["--bind", path, path]);
        }
        foreach (var (name, content) in policy.Files)
        {
            arguments.AddRange(["--file", Number(store(content)), $"{WorkFolder}/{name}"]);
        }
        if (policy.EgressSocket.Length > 0)
        {
            arguments.AddRange(["--ro-bind", policy.EgressSocket, EgressForwarder.SocketPath]);
        }
        var users = store(Encoding.UTF8.GetBytes($"sandbox:x:{InnerUser}:{InnerUser}::{WorkFolder}:/bin/sh\n"));
        arguments.AddRange(["--file", Number(users), "/etc/passwd"]);
        foreach (var folder in (string[])["/dev", "/proc", "/"])
        {
            arguments.AddRange(["--remount-ro", folder]);
        }
        foreach (var (name, value) in policy.Variables)
        {
            arguments.AddRange(["--setenv", name, value]);
        }
        arguments.AddRange(["--chdir", WorkFolder, "--seccomp", Number(filter)]);
        return arguments;
    }

    /// <summary>The command that bubblewrap starts.</summary>
    public static List<string> Command(SandboxPolicy policy) =>
        [
            .. (string[])["/bin/sh", "-c", LimitProcesses, "sh", Number(policy.Limits.Processes)],
            .. policy.EgressSocket.Length > 0 ? EgressForwarder.Command() : [],
            policy.Program,
            .. policy.Arguments,
        ];

    private static IEnumerable<string> SystemFolders()
    {
        foreach (var path in SystemPaths.Folders.Concat(SystemPaths.Etc))
        {
            if (Path.Exists(path))
            {
                yield return "--ro-bind";
                yield return path;
                yield return path;
            }
        }
        foreach (var folder in SystemPaths.RootFolders)
        {
            if (new DirectoryInfo(folder).LinkTarget is { } target)
            {
                yield return "--symlink";
                yield return target;
                yield return folder;
            }
            else if (Directory.Exists(folder))
            {
                yield return "--ro-bind";
                yield return folder;
                yield return folder;
            }
        }
    }

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
}
