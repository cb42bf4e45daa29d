namespace AgentExecutor.Core.Runs;

/// <summary>The limits of a run. The service sets the maximum values, and a definition can only lower them.</summary>
public sealed record RunLimits
{
    /// <summary>The maximum number of supersteps of the root graph and all its sub-graphs together.</summary>
    [AboveZero]
    public long MaxSupersteps { get; init; } = 1_000;

    /// <summary>The maximum number of tool calls of all agents together.</summary>
    public long MaxToolCalls { get; init; } = 1_000;

    /// <summary>The maximum nesting depth of sub-agents; 0 allows none.</summary>
    public int MaxSubagentDepth { get; init; } = 5;

    /// <summary>The maximum number of tasks of a superstep that execute at once.</summary>
    [AboveZero]
    public int MaxParallelTasks { get; init; } = 16;

    /// <summary>The maximum number of tasks that one superstep may start.</summary>
    [AboveZero]
    public int MaxFanOut { get; init; } = 1_000;

    /// <summary>The maximum number of input and output tokens of all model calls together.</summary>
    [AboveZero]
    public long MaxTokens { get; init; } = 20_000_000;

    /// <summary>
    /// The maximum cost of all model calls together, in US dollars according to the price table. Models without a price are not counted.
    /// </summary>
    [AboveZero]
    public double MaxCostUsd { get; init; } = 100;

    /// <summary>The maximum time in seconds that workers may spend on the run. Waiting for a person does not count.</summary>
    [AboveZero]
    public double MaxSeconds { get; init; } = 3_600;

    public static readonly RunLimits None = new()
    {
        MaxSupersteps = long.MaxValue,
        MaxToolCalls = long.MaxValue,
        MaxFanOut = ushort.MaxValue,
        MaxTokens = long.MaxValue,
        MaxCostUsd = double.PositiveInfinity,
        MaxSeconds = double.PositiveInfinity,
    };
}
