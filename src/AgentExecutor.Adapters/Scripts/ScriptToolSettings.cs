using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>Tools that definitions bring as scripts. They run in the sandbox.</summary>
public sealed record ScriptToolSettings
{
    /// <summary>
    /// The program that runs Python scripts: a name in the system's folders of programs, or a path that the sandbox can read. Its packages
    /// are those that scripts can import.
    /// </summary>
    public string Python { get; init; } = "python3";

    /// <summary>The program that runs JavaScript.</summary>
    public string Node { get; init; } = "node";

    /// <summary>The program that runs shell scripts.</summary>
    public string Shell { get; init; } = "sh";

    /// <summary>The timeout in seconds of one call, if the tool sets no lower one.</summary>
    [AboveZero]
    public double TimeoutSeconds { get; init; } = 60;

    /// <summary>The maximum number of bytes of a result. A longer result is an error.</summary>
    [AboveZero]
    public int MaxResultBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>The number of bytes that are kept of what a call prints. The rest is discarded.</summary>
    public int MaxLogBytes { get; init; } = 16 * 1024;

    /// <summary>The maximum memory in bytes of each process of a script.</summary>
    [AboveZero]
    public long MaxMemoryBytes { get; init; } = 1L << 30;

    /// <summary>
    /// The maximum number of processes that run scripts, or that are kept for their next call. If all are in use, a call waits for one.
    /// </summary>
    [AboveZero]
    public int MaxRunners { get; init; } = 8;

    /// <summary>The time in seconds after which a process without calls is ended.</summary>
    [AboveZero]
    public double IdleSeconds { get; init; } = 60;
}
