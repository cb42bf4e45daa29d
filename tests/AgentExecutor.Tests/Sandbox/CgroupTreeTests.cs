using AgentExecutor.Adapters.Sandbox;

namespace AgentExecutor.Tests.Sandbox;

public sealed class CgroupTreeTests
{
    private const string Unified = "41 31 0:38 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw";
    private const string Hybrid = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";
    private const string Version1 = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory";

    [Theory]
    [InlineData(Unified, "0::/", "/sys/fs/cgroup")]
    [InlineData(Unified, "0::/system.slice/agent.service", "/sys/fs/cgroup/system.slice/agent.service")]
    [InlineData(Hybrid, "0::/", "/sys/fs/cgroup/unified")]
    [InlineData("41 31 0:38 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup2 rw", "0::/docker/1/inner", "/sys/fs/cgroup/inner")]
    [InlineData(Version1, "0::/", null)]
    [InlineData(Unified, "4:memory:/", null)]
    public void The_own_cgroup_is_below_the_mount(string mount, string group, string? folder) =>
        Assert.Equal(folder, CgroupTree.OwnFolder([Version1, mount], ["9:name=systemd:/x", group]));

    [Fact]
    public void A_program_gets_the_limits_whose_controllers_are_available()
    {
        using var folder = new TempDirectory();
        File.WriteAllText(Path.Combine(folder.Path, "cgroup.controllers"), "cpu memory pids\n");

        Assert.NotNull(CgroupTree.Open(folder.Path, 4711));

        Assert.Equal("+memory +pids", File.ReadAllText(Path.Combine(folder.Path, "cgroup.subtree_control")));
    }

    [Fact]
    public void Without_controllers_there_are_no_cgroups()
    {
        using var folder = new TempDirectory();
        File.WriteAllText(Path.Combine(folder.Path, "cgroup.controllers"), "cpu\n");

        Assert.Null(CgroupTree.Open(folder.Path, 4711));
    }

    [Fact]
    public void Limits_are_written_and_the_process_is_moved()
    {
        using var folder = new TempDirectory();
        foreach (var name in (string[])["memory.max", "memory.swap.max", "pids.max"])
        {
            File.WriteAllText(Path.Combine(folder.Path, name), "max");
        }

        new ProgramCgroup(folder.Path).Create(4711, new SandboxLimits { MemoryBytes = 1 << 20, Processes = 10 });

        Assert.Equal("1048576", File.ReadAllText(Path.Combine(folder.Path, "memory.max")));
        Assert.Equal("0", File.ReadAllText(Path.Combine(folder.Path, "memory.swap.max")));
        Assert.Equal("13", File.ReadAllText(Path.Combine(folder.Path, "pids.max")));
        Assert.Equal("4711", File.ReadAllText(Path.Combine(folder.Path, "cgroup.procs")));
    }
}
