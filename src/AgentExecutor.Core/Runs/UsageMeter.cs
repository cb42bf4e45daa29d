using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Runs;

/// <summary>Counts what a run uses, from all its parallel tasks, and stops it at its limits.</summary>
public sealed class UsageMeter(RunUsage start, RunLimits limits, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly long _startedAt = time.GetTimestamp();
    private readonly double _activeBefore = start.ActiveSeconds;
    private long _supersteps = start.Supersteps;
    private long _modelCalls = start.ModelCalls;
    private long _toolCalls = start.ToolCalls;
    private TokenUsage _tokens = start.Tokens;

    public RunLimits Limits { get; } = limits;

    public RunUsage Current
    {
        get
        {
            lock (_gate)
            {
                return new RunUsage(_supersteps, _modelCalls, _toolCalls, _tokens, _activeBefore + time.GetElapsedTime(_startedAt).TotalSeconds);
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
            Check(_supersteps < Limits.MaxSupersteps, FaultCodes.SuperstepLimit, Limits.MaxSupersteps, "supersteps", "max_supersteps");
            _supersteps++;
        }
    }

    public void CountToolCall()
    {
        lock (_gate)
        {
            Check(_toolCalls < Limits.MaxToolCalls, FaultCodes.ToolCallLimit, Limits.MaxToolCalls, "tool calls", "max_tool_calls");
            _toolCalls++;
        }
    }

    /// <summary>Called before a model call: none begins once the tokens are used up.</summary>
    public void CheckTokens()
    {
        lock (_gate)
        {
            Check(_tokens.Total < Limits.MaxTokens, FaultCodes.TokenLimit, Limits.MaxTokens, "tokens", "max_tokens");
        }
    }

    public void CountModelCall(TokenUsage tokens)
    {
        lock (_gate)
        {
            _modelCalls++;
            _tokens += tokens;
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
