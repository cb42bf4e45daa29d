using System.Diagnostics;
using AgentExecutor.Adapters.Sandbox.Linux;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>
/// The folder of a program that has no mount namespace. It contains <c>work</c>, in which the program starts, and <c>tmp</c>. It belongs to
/// the program's user.
/// </summary>
internal sealed class PrivateFolder
{
    private const UnixFileMode OnlyOwner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private PrivateFolder(string path) => Location = path;

    public string Location { get; }

    /// <summary>Creates the folder with these files.</summary>
    public static async Task<PrivateFolder> CreateAsync(
        uint? user,
        IReadOnlyDictionary<string, byte[]> files,
        CancellationToken cancellationToken
    )
    {
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException("Programs in the sandbox need Linux.");
        }
        var folder = new PrivateFolder(Path.Combine(Path.GetTempPath(), $"agent-executor-sandbox-{Guid.NewGuid():N}"));
        var work = Path.Combine(folder.Location, "work");
        foreach (var path in (string[])[folder.Location, work, Path.Combine(folder.Location, "tmp")])
        {
            Directory.CreateDirectory(path, OnlyOwner);
            Give(path, user);
        }
        foreach (var (name, content) in files)
        {
            var path = Path.Combine(work, name);
            await File.WriteAllBytesAsync(path, content, cancellationToken);
            Give(path, user);
        }
        return folder;
    }

    /// <summary>Removes the folder when no process of the program runs any more. Links are removed, and not followed.</summary>
    public async Task DeleteAsync(ProcessStarter starter)
    {
        try
        {
            Directory.Delete(Location, recursive: true);
        }
        catch (Exception) // of several kinds: the program has created too long paths, or folders that their owner may not enter
        {
            await ShellAsync(starter, "chmod -R u+rwX -- \"$1\"; rm -rf -- \"$1\"");
        }
    }

    private async Task ShellAsync(ProcessStarter starter, string script)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", script, "sh", Location]) { WorkingDirectory = "/" };
        using var process = await starter.StartAsync(start);
        await process.WaitForExitAsync();
    }

    private static void Give(string path, uint? user)
    {
        if (user is { } owner && Libc.ChangeOwner(path, owner, owner) < 0)
        {
            throw new IOException($"the folder '{path}' cannot be given to user {owner}: {Libc.LastError()}");
        }
    }
}
