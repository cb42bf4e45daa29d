using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Faults;

/// <summary>A file system in memory with a size that the test sets. Only root can mount it.</summary>
public sealed class SmallDisk : IAsyncDisposable
{
    private readonly string _directory;

    private SmallDisk(string directory) => _directory = directory;

    public static async Task<SmallDisk> MountAsync(string directory, string size)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.UserName == "root", "only root can mount a small file system");
        Directory.CreateDirectory(directory);
        await LocalProcess.RunAsync("mount", "-t", "tmpfs", "-o", $"size={size}", "tmpfs", directory);
        return new SmallDisk(directory);
    }

    /// <summary>Changes the mounted file system, for example with <c>size=64m</c>, <c>ro</c> or <c>rw</c>.</summary>
    public Task ChangeAsync(string options) => LocalProcess.RunAsync("mount", "-o", $"remount,{options}", _directory);

    public async ValueTask DisposeAsync() => await LocalProcess.RunAsync("umount", "-l", _directory);
}
