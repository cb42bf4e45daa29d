using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Sandbox;

/// <summary>The isolation that the operator requires, on machines that provide it and on others.</summary>
public sealed class MinimumTests
{
    private const string Minimum = "AGENT_EXECUTOR_SANDBOX_MINIMUM";

    [Theory]
    [InlineData("root", "namespaces", false)]
    [InlineData("user", "namespaces", false)]
    [InlineData("root", "restricted", true)]
    [InlineData("user", "restricted", true)]
    public async Task Programs_are_refused_below_the_minimum(string user, string minimum, bool hidesLandlock)
    {
        using var site = new SandboxSite(user, isForbidden: true, hidesLandlock);
        site.Variables[Minimum] = minimum;

        var result = await site.RunAsync("--", "echo", "it runs");

        Assert.Equal("", result.Output);
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains($"{Minimum}={minimum}", result.Error);
        Assert.Contains("bubblewrap failed", result.Error);
        Assert.Contains("bubblewrap", result.Error.Split("hint:")[1]);
        Assert.Equal(hidesLandlock, result.Error.Contains("the kernel has no Landlock", StringComparison.Ordinal));
        Assert.Equal(1, (await site.RunAsync()).ExitCode);
    }

    [Theory]
    [InlineData("root")]
    [InlineData("user")]
    public async Task Without_isolation_programs_run_only_if_the_operator_permits_it(string user)
    {
        using var site = new SandboxSite(user, isForbidden: true, hidesLandlock: true);
        site.Variables[Minimum] = "none";

        Assert.StartsWith("none: only resource limits (", (await site.RunAsync()).Output, StringComparison.Ordinal);
        var output = await site.PythonAsync("import os; print('SERVICE_SECRET' in os.environ, os.getuid() == 0)");

        Assert.Equal("False False\n", output);
    }

    [Fact]
    public async Task The_service_logs_the_isolation_that_is_in_force()
    {
        await using var server = await ApiServer.StartAsync();

        await Wait.UntilAsync(
            () => server.Process.Lines.Any(line => line.Contains("Programs of definitions", StringComparison.Ordinal)),
            () => string.Join('\n', server.Process.Lines)
        );
    }
}
