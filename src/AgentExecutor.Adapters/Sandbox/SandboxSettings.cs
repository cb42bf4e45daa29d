namespace AgentExecutor.Adapters.Sandbox;

/// <summary>The isolation of programs that definitions bring.</summary>
public sealed record SandboxSettings
{
    /// <summary>
    /// The isolation that programs must have: `namespaces` (bubblewrap), `restricted` (at least Landlock and seccomp), or `none`, which
    /// permits programs without isolation where the machine provides none. The strongest isolation of the machine is always used.
    /// </summary>
    public string Minimum { get; init; } = "restricted";

    /// <summary>
    /// Files and folders, separated by commas, that programs may read in addition to the system's programs and libraries, for example the
    /// folder of a Python that is installed elsewhere.
    /// </summary>
    public string ReadablePaths { get; init; } = "";

    /// <summary>
    /// The hosts that programs may reach over HTTP if their tool asks for the network, as `host` or `host:port` separated by commas. Listed
    /// hosts may have private addresses. `*` allows all hosts with public addresses. By default there is no network. It needs the isolation
    /// `namespaces`.
    /// </summary>
    public string AllowedHosts { get; init; } = "";

    /// <summary>
    /// If the service runs as root: the first of 256 user ids for programs. Each program that runs has one of its own. No account may use
    /// them.
    /// </summary>
    public int FirstUserId { get; init; } = 60800;

    /// <summary>The paths in <see cref="ReadablePaths"/>.</summary>
    public IReadOnlyList<string> ReadablePathList() =>
        ReadablePaths.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
