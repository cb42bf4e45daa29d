using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>The isolation that this machine provides.</summary>
/// <param name="Level">The strongest level that works.</param>
/// <param name="Missing">Why the stronger levels do not work: one sentence for each.</param>
internal sealed record SandboxState(SandboxLevel Level, IReadOnlyList<string> Missing)
{
    /// <summary>True if limits also count for all processes of a program together, by cgroups.</summary>
    public bool HasCgroups { get; init; }

    /// <summary>Throws if the level is lower than the settings require.</summary>
    /// <exception cref="FaultException">The level is too low.</exception>
    public void ThrowIfBelow(SandboxLevel minimum)
    {
        if (Level < minimum)
        {
            throw new FaultException(
                FaultCodes.SandboxUnavailable,
                $"this machine cannot isolate programs as AGENT_EXECUTOR_SANDBOX_MINIMUM={NameOf(minimum)} requires: "
                    + string.Join("; ", Missing),
                "install bubblewrap and allow user namespaces, use a kernel with Landlock, or lower the setting; see docs/sandbox.md"
            );
        }
    }

    /// <summary>Describes the isolation in one sentence without a final period.</summary>
    public string Describe()
    {
        var what = Level switch
        {
            SandboxLevel.Namespaces => "namespaces: bubblewrap, seccomp and resource limits",
            SandboxLevel.Restricted => "restricted: Landlock, seccomp and resource limits",
            _ => "none: only resource limits",
        };
        var limits = HasCgroups ? $"{what}, with cgroups" : what;
        return Missing.Count == 0 ? limits : $"{limits} ({string.Join("; ", Missing)})";
    }

    public static string NameOf(SandboxLevel level) =>
        level switch
        {
            SandboxLevel.Namespaces => "namespaces",
            SandboxLevel.Restricted => "restricted",
            _ => "none",
        };
}
