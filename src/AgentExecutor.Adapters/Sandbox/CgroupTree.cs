using System.Globalization;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>
/// The cgroup (version 2) of the service, if the service may create others in it, as in a systemd unit with <c>Delegate=yes</c>. Each
/// program then has a cgroup of its own, whose limits count for all its processes together. Everything here is a best effort: without it,
/// the limits of each process remain.
/// </summary>
internal sealed class CgroupTree
{
    private const string Version2 = "cgroup2";

    private readonly string _folder;

    private CgroupTree(string folder) => _folder = folder;

    /// <summary>Finds the cgroup of this process. Returns null if it cannot be used.</summary>
    public static CgroupTree? Find()
    {
        try
        {
            return OwnFolder(File.ReadAllLines("/proc/self/mountinfo"), File.ReadAllLines("/proc/self/cgroup")) is { } folder
                ? Open(folder, Environment.ProcessId)
                : null;
        }
        catch (Exception exception) when (IsRefused(exception))
        {
            return null;
        }
    }

    /// <summary>Returns the folder of a process's cgroup, or null if version 2 is not mounted.</summary>
    /// <param name="mounts">The lines of <c>/proc/PID/mountinfo</c>.</param>
    /// <param name="groups">The lines of <c>/proc/PID/cgroup</c>.</param>
    public static string? OwnFolder(IEnumerable<string> mounts, IEnumerable<string> groups)
    {
        var mount = mounts.Select(line => line.Split(' ')).FirstOrDefault(fields => TypeOf(fields) == Version2);
        var group = groups.FirstOrDefault(line => line.StartsWith("0::/", StringComparison.Ordinal))?["0::".Length..];
        if (mount is null || group is null)
        {
            return null;
        }
        // The fourth field is the part of the hierarchy that is mounted, and the fifth one where.
        var (root, place) = (mount[3], mount[4]);
        if (root != "/" && (group + "/").StartsWith(root + "/", StringComparison.Ordinal))
        {
            group = group[root.Length..];
        }
        return place + (group == "/" ? "" : group);
    }

    /// <summary>Lets the cgroups in a folder have limits. Returns null if that is not possible.</summary>
    /// <param name="folder">The cgroup of the service.</param>
    /// <param name="service">The process of the service.</param>
    public static CgroupTree? Open(string folder, int service)
    {
        var available = File.ReadAllText($"{folder}/cgroup.controllers").Split();
        string[] wanted = [.. ((string[])["memory", "pids"]).Where(available.Contains)];
        if (wanted.Length == 0)
        {
            return null;
        }
        var controllers = string.Join(' ', wanted.Select(name => "+" + name));
        try
        {
            File.WriteAllText($"{folder}/cgroup.subtree_control", controllers);
        }
        catch (IOException)
        {
            // A cgroup with processes of its own cannot limit those in it, so the service moves to one of them.
            Directory.CreateDirectory($"{folder}/agent-executor-service");
            File.WriteAllText($"{folder}/agent-executor-service/cgroup.procs", service.ToString(CultureInfo.InvariantCulture));
            File.WriteAllText($"{folder}/cgroup.subtree_control", controllers);
        }
        return new CgroupTree(folder);
    }

    /// <summary>Creates the cgroup of a program and moves its first process there. Returns null if that is not possible.</summary>
    public ProgramCgroup? TryCreate(int process, SandboxLimits limits)
    {
        var cgroup = new ProgramCgroup($"{_folder}/agent-executor-program-{Guid.NewGuid():N}");
        try
        {
            cgroup.Create(process, limits);
            return cgroup;
        }
        catch (Exception exception) when (IsRefused(exception))
        {
            cgroup.TryDelete();
            return null;
        }
    }

    public static bool IsRefused(Exception exception) => exception is IOException or UnauthorizedAccessException;

    /// <summary>The type of the file system is the first field after the separator.</summary>
    private static string? TypeOf(string[] fields) =>
        Array.IndexOf(fields, "-") is var separator and > 0 && separator + 1 < fields.Length ? fields[separator + 1] : null;
}
