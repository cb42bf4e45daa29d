using System.Diagnostics;

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>Programs in the folder of <c>TEST_TOOLS</c>, which neither the system nor the project provides.</summary>
internal static class TestTools
{
    private static readonly Lazy<Task<string>> Servers = new(() => UnpackAsync("servers"));

    private static string? Folder => Environment.GetEnvironmentVariables()["TEST_TOOLS"] as string;

    /// <summary>The current nats-server. Skips the test with the reason if it is missing.</summary>
    public static async Task<string> NatsServerAsync()
    {
        Assert.SkipUnless(Directory.Exists(Folder), "a current nats-server is needed: set TEST_TOOLS to the folder with the test tools");
        return Path.Combine(await Servers.Value, "nats-server");
    }

    /// <summary>The path of a program in the folder. Skips the test with the reason if it is missing.</summary>
    public static string Program(string name)
    {
        var path = Path.Combine(Folder ?? "", name);
        Assert.SkipUnless(Folder is not null && File.Exists(path), $"{name} is needed: set TEST_TOOLS to the folder with the test tools");
        return path;
    }

    private static async Task<string> UnpackAsync(string group)
    {
        using var process = Process.Start(
            new ProcessStartInfo(Path.Combine(Folder!, "unpack"), [group]) { RedirectStandardOutput = true }
        )!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
        return output.Trim();
    }
}
