namespace AgentExecutor.Adapters.Sandbox;

/// <summary>Starts untrusted programs as separate processes that can reach only what their request names.</summary>
internal interface ISandbox
{
    /// <summary>Finds the isolation that this machine provides. Only the first call starts programs to find out.</summary>
    Task<SandboxState> StateAsync(CancellationToken cancellationToken);

    /// <summary>Starts a program.</summary>
    /// <exception cref="Core.FaultException">
    /// The machine does not provide the isolation that the settings require, or the program does not exist.
    /// </exception>
    Task<SandboxedProcess> StartAsync(SandboxRequest request, CancellationToken cancellationToken);
}

/// <summary>Levels of isolation, in ascending order.</summary>
internal enum SandboxLevel
{
    /// <summary>A separate process without isolation. It requires an explicit setting of the operator.</summary>
    None,

    /// <summary>Landlock, seccomp, <c>no_new_privs</c> and resource limits.</summary>
    Restricted,

    /// <summary>In addition, namespaces of its own, which bubblewrap creates.</summary>
    Namespaces,
}

/// <summary>A program to run in the sandbox.</summary>
/// <param name="Program">The path of the program, or its name in the system's folders of programs.</param>
/// <param name="Arguments">The arguments.</param>
internal sealed record SandboxRequest(string Program, IReadOnlyList<string> Arguments)
{
    /// <summary>The environment variables. The program sees no others, except PATH, HOME, TMPDIR, LANG and PWD.</summary>
    public IReadOnlyDictionary<string, string> Variables { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Files and folders that the program may read in addition to the system's programs and libraries.</summary>
    public IReadOnlyList<string> ReadablePaths { get; init; } = [];

    /// <summary>Files and folders that the program may read and change. Only for paths that the operator chose.</summary>
    public IReadOnlyList<string> WritablePaths { get; init; } = [];

    /// <summary>
    /// Files in the folder in which the program starts, by their names without folders. The program may read and change its copies.
    /// </summary>
    public IReadOnlyDictionary<string, byte[]> Files { get; init; } = new Dictionary<string, byte[]>(StringComparer.Ordinal);

    /// <summary>
    /// True if the program needs the network. It reaches the hosts that the operator allows, through the HTTP proxy that its variables
    /// HTTP_PROXY and HTTPS_PROXY name.
    /// </summary>
    public bool UsesNetwork { get; init; }

    /// <summary>The resources that the program may use.</summary>
    public SandboxLimits Limits { get; init; } = new();
}

/// <summary>The resources that a program in the sandbox may use.</summary>
internal sealed record SandboxLimits
{
    /// <summary>The processor time of each process, or <see cref="Timeout.InfiniteTimeSpan"/>.</summary>
    public TimeSpan CpuTime { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>The private memory of each process in bytes, and the memory of all its processes where cgroups can be written.</summary>
    public long MemoryBytes { get; init; } = 1L << 30;

    /// <summary>
    /// The address space of each process in bytes; by default as much as <see cref="MemoryBytes"/>. Runtimes such as Node reserve far more
    /// address space than they use, and need a higher limit.
    /// </summary>
    public long AddressSpaceBytes
    {
        get => field > 0 ? field : MemoryBytes;
        init;
    }

    /// <summary>The maximum number of processes and threads.</summary>
    public int Processes { get; init; } = 64;

    /// <summary>
    /// The maximum size of a file that it writes, in bytes, and of each private folder where it is a file system of its own.
    /// </summary>
    public long FileBytes { get; init; } = 64L << 20;
}
