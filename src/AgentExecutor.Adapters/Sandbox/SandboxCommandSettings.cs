namespace AgentExecutor.Adapters.Sandbox;

/// <summary>
/// A program that an operator runs in the sandbox, to see what it can do there. Values that are null have the usual limits.
/// </summary>
/// <param name="Program">The path of the program, or its name in the system's folders of programs.</param>
/// <param name="Arguments">The arguments.</param>
public sealed record SandboxCommandSettings(string Program, IReadOnlyList<string> Arguments)
{
    /// <summary>Files and folders that the program may read in addition.</summary>
    public IReadOnlyList<string> ReadablePaths { get; init; } = [];

    /// <summary>The environment variables.</summary>
    public IReadOnlyDictionary<string, string> Variables { get; init; } = new Dictionary<string, string>();

    public bool UsesNetwork { get; init; }

    public int? CpuSeconds { get; init; }

    public int? MemoryMegabytes { get; init; }

    public int? Processes { get; init; }

    public int? FileMegabytes { get; init; }
}
