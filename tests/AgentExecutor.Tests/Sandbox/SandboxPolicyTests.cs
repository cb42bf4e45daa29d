using AgentExecutor.Adapters.Sandbox;

namespace AgentExecutor.Tests.Sandbox;

public sealed class SandboxPolicyTests
{
    [Fact]
    public void A_policy_is_read_as_it_was_written()
    {
        var policy = new SandboxPolicy(SandboxLevel.Restricted, "/usr/bin/env", ["-i", "Zoë"])
        {
            User = 60801,
            ServiceProcess = 4711,
            Folder = "/tmp/folder",
            Variables = new Dictionary<string, string> { ["NAME"] = "value=\n" },
            ReadablePaths = ["/opt/a", "/opt/b"],
            WritablePaths = ["/srv"],
            Files = new Dictionary<string, byte[]> { ["file"] = [0, 1, 255] },
            EgressSocket = "/tmp/egress/proxy",
            Limits = new SandboxLimits
            {
                CpuTime = Timeout.InfiniteTimeSpan,
                MemoryBytes = 1,
                AddressSpaceBytes = 2,
                Processes = 3,
                FileBytes = 4,
            },
        };

        var bytes = policy.ToBytes();
        var read = SandboxPolicy.Read(bytes[4..]);

        Assert.Equal(bytes.Length - 4, BitConverter.ToInt32(bytes));
        Assert.Equivalent(policy, read, strict: true);
    }
}
