using System.Globalization;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>The cgroup of one program, which contains all its processes.</summary>
internal sealed class ProgramCgroup(string folder)
{
    /// <summary>The processes that the sandbox itself needs: two of bubblewrap, and one for the network.</summary>
    private const int OwnProcesses = 3;

    /// <summary>Creates the cgroup with these limits, and moves a process there.</summary>
    public void Create(int process, SandboxLimits limits)
    {
        Directory.CreateDirectory(folder);
        Set("memory.max", limits.MemoryBytes);
        Set("memory.swap.max", 0);
        Set("memory.oom.group", 1);
        Set("pids.max", limits.Processes + OwnProcesses);
        File.WriteAllText($"{folder}/cgroup.procs", process.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Kills all processes. Without the file, which needs Linux 5.14, this has no effect.</summary>
    public void Kill()
    {
        try
        {
            Set("cgroup.kill", 1);
        }
        catch (Exception exception) when (CgroupTree.IsRefused(exception))
        {
            // The processes are also killed without it.
        }
    }

    /// <summary>Removes the cgroup. Returns false if it still contains processes.</summary>
    public bool TryDelete()
    {
        try
        {
            Directory.Delete(folder);
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
        catch (Exception exception) when (CgroupTree.IsRefused(exception))
        {
            return false;
        }
    }

    /// <summary>Sets a limit if its controller is enabled.</summary>
    private void Set(string name, long value)
    {
        var file = $"{folder}/{name}";
        if (File.Exists(file))
        {
            File.WriteAllText(file, value.ToString(CultureInfo.InvariantCulture));
        }
    }
}
