using System.Diagnostics;
using System.Globalization;
using AgentExecutor.Adapters.Sandbox;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Sandbox;

/// <summary>The cgroup of a program, in the kernel of this machine. The tests are skipped where it cannot be written.</summary>
public sealed class CgroupTests
{
    [Fact]
    public async Task A_cgroup_is_killed_with_everything_in_it_and_removed()
    {
        var own = CgroupTree.OwnFolder(
            await File.ReadAllLinesAsync("/proc/self/mountinfo", TestContext.Current.CancellationToken),
            await File.ReadAllLinesAsync("/proc/self/cgroup", TestContext.Current.CancellationToken)
        );
        Assert.SkipWhen(own is null, "There is no cgroup of version 2.");
        var folder = $"{own}/agent-executor-it-{Guid.NewGuid():N}";
        var cgroup = new ProgramCgroup(folder);
        using var process = Process.Start(
            new ProcessStartInfo("sh", ["-c", "read go; sleep 600 & sleep 600"]) { RedirectStandardInput = true }
        )!;
        try
        {
            cgroup.Create(process.Id, new SandboxLimits());
        }
        catch (Exception exception) when (CgroupTree.IsRefused(exception))
        {
            process.Kill();
            cgroup.TryDelete();
            Assert.Skip($"The cgroup cannot be written: {exception.Message}");
        }
        Assert.Contains(
            process.Id.ToString(CultureInfo.InvariantCulture),
            await File.ReadAllLinesAsync($"{folder}/cgroup.procs", TestContext.Current.CancellationToken)
        );

        await process.StandardInput.WriteLineAsync("go");
        await process.StandardInput.FlushAsync(TestContext.Current.CancellationToken);
        await Wait.UntilAsync(() => File.ReadAllLines($"{folder}/cgroup.procs").Length == 3);

        cgroup.Kill();

        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        await Wait.UntilAsync(cgroup.TryDelete);
        Assert.False(Directory.Exists(folder));
    }

    [Fact]
    public async Task Memory_counts_for_all_processes_together()
    {
        Assert.SkipWhen(CgroupTree.Find() is null, "The service may not create cgroups with limits of memory and processes here.");
        await using var sandbox = new ProcessSandbox(new SandboxSettings(), TimeProvider.System, SandboxSite.Program);
        const string Fill = "import os; [os.fork() for _ in range(2)]; data = bytearray(100 << 20); os.system('sleep 1'); print('alive')";

        await using var process = await sandbox.StartAsync(
            new SandboxRequest("python3", ["-c", Fill]) { Limits = new SandboxLimits { MemoryBytes = 256 << 20 } },
            TestContext.Current.CancellationToken
        );
        using var reader = new StreamReader(process.StandardOutput);

        Assert.Equal("", await reader.ReadToEndAsync(TestContext.Current.CancellationToken));
    }
}
