using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Runs;

/// <summary>Counts what a run uses, from all its parallel tasks, and stops it at its limits.</summary>
public sealed class UsageMeter(RunUsage start, RunLimits limits, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly long _startedAt = time.GetTimestamp();
    private readonly double _activeBefore = start.ActiveSeconds;
    private RunUsage _usage = start;

    public RunLimits Limits { get; } = limits;

    public RunUsage Current
    {
        get
        {
            lock (_gate)
            {
                return _usage with { ActiveSeconds = _activeBefore + time.GetElapsedTime(_startedAt).TotalSeconds };
            }
        }
    }

    public TimeSpan TimeLeft => double.IsInfinity(Limits.MaxSeconds)
        ? Timeout.InfiniteTimeSpan
        : TimeSpan.FromSeconds(Math.Clamp(Limits.MaxSeconds - _activeBefore, 0, TimeSpan.FromDays(30).TotalSeconds));

    public void CountSuperstep()
    {
        lock (_gate)
        {
            Check(_usage.Supersteps < Limits.MaxSupersteps, FaultCodes.SuperstepLimit, Limits.MaxSupersteps, "supersteps", "max_supersteps");
            _usage = _usage with { Supersteps = _usage.Supersteps + 1 };
        }
    }

    public void CountToolCall()
    {
        lock (_gate)
        {
            Check(_usage.ToolCalls < Limits.MaxToolCalls, FaultCodes.ToolCallLimit, Limits.MaxToolCalls, "tool calls", "max_tool_calls");
            _usage = _usage with { ToolCalls = _usage.ToolCalls + 1 };
        }
    }

    /// <summary>Called before a model call: none begins once the tokens are used up.</summary>
    public void CheckTokens()
    {
        lock (_gate)
        {
            Check(_usage.Tokens.Total < Limits.MaxTokens, FaultCodes.TokenLimit, Limits.MaxTokens, "tokens", "max_tokens");
        }
    }

    public void CountModelCall(TokenUsage tokens)
    {
        lock (_gate)
        {
            _usage = _usage with { ModelCalls = _usage.ModelCalls + 1, Tokens = _usage.Tokens + tokens };
        }
    }

    private static void Check(bool holds, string code, long limit, string what, string name)
    {
        if (!holds)
        {
            throw new FaultException(code, $"the run has used its {limit} {what}", $"raise {name} in the definition's limits, up to the server's");
        }
    }
}
