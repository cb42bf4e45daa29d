namespace AgentExecutor.Core.Runs;

/// <summary>What a run may use. The server sets the ceilings; a definition may only lower them.</summary>
public sealed record RunLimits
{
    /// <summary>Supersteps of the root graph and all its sub-graphs together.</summary>
    public long MaxSupersteps { get; init; } = 1_000;

    /// <summary>Tool calls of all agents together.</summary>
    public long MaxToolCalls { get; init; } = 1_000;

    /// <summary>How deep sub-agents may nest; 0 for none at all.</summary>
    public int MaxSubagentDepth { get; init; } = 5;

    /// <summary>Tasks of one superstep that run at once.</summary>
    public int MaxParallelTasks { get; init; } = 16;

    /// <summary>Tasks that one superstep may start.</summary>
    public int MaxFanOut { get; init; } = 1_000;

    /// <summary>Input and output tokens of all model calls together.</summary>
    public long MaxTokens { get; init; } = 20_000_000;

    /// <summary>US dollars that all model calls together may cost, by the price table; calls of models without a price are not counted.</summary>
    public double MaxCostUsd { get; init; } = 100;

    /// <summary>Seconds that workers may spend on the run; waiting for a person does not count.</summary>
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
