using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Sandbox;

namespace AgentExecutor.Tests.Sandbox;

public sealed class SandboxSettingsTests
{
    [Fact]
    public void The_defaults_are_valid() => Assert.Empty(AdapterCatalog.Check(new SandboxSettings()));

    [Fact]
    public void Every_fault_is_reported() =>
        Assert.Equal(
            ["MINIMUM", "FIRST_USER_ID", "ALLOWED_HOSTS", "READABLE_PATHS"],
            AdapterCatalog
                .Check(
                    new SandboxSettings
                    {
                        Minimum = "some",
                        FirstUserId = 65500,
                        AllowedHosts = "*.example.com",
                        ReadablePaths = "/opt/python, here",
                    }
                )
                .Select(fault => fault.Setting)
        );
}
