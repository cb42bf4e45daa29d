using System.Collections.Immutable;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Sessions;

/// <summary>Counts the resources that a run's parallel tasks use, and stops the run at its limits.</summary>
public sealed class UsageMeter(RunUsage start, RunLimits limits, TimeProvider time)
{
    /// <summary>
    /// The maximum number of agent and model pairs that are counted separately. The usage of all other pairs is added up, because
    /// each step stores the whole list.
    /// </summary>
    private const int MaxPairs = 64;

    private const string Others = "(others)";

    private readonly Lock _gate = new();
    private readonly long _startedAt = time.GetTimestamp();
    private readonly double _activeBefore = start.ActiveSeconds;
    private long _supersteps = start.Supersteps;
    private long _modelCalls = start.ModelCalls;
    private long _toolCalls = start.ToolCalls;
    private TokenUsage _tokens = start.Tokens;
    private decimal _cost = start.CostUsd;
    private long _unpricedCalls = start.UnpricedCalls;
    private ImmutableArray<ModelUsage> _byModel = start.ByModel;

    public RunLimits Limits { get; } = limits;

    public RunUsage Current
    {
        get
        {
            lock (_gate)
            {
                return start with
                {
                    Supersteps = _supersteps,
                    ModelCalls = _modelCalls,
                    ToolCalls = _toolCalls,
                    Tokens = _tokens,
                    ActiveSeconds = _activeBefore + time.GetElapsedTime(_startedAt).TotalSeconds,
                    CostUsd = _cost,
                    UnpricedCalls = _unpricedCalls,
                    ByModel = _byModel,
                };
            }
        }
    }

    /// <summary>The tokens and the cost of the model calls so far.</summary>
    public Spending Spent
    {
        get
        {
            lock (_gate)
            {
                return new Spending(_tokens.Total, _cost);
            }
        }
    }

    public TimeSpan TimeLeft =>
        double.IsInfinity(Limits.MaxSeconds)
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

    /// <param name="agent">The agent that made the call.</param>
    /// <param name="model">The model that was called.</param>
    /// <param name="tokens">The tokens that the provider reported.</param>
    /// <param name="cost">US dollars, or null if no price is known.</param>
    /// <param name="isAnswer">False for a failed attempt that nevertheless had a cost.</param>
    internal void CountModelCall(string agent, ModelSpec model, TokenUsage tokens, decimal? cost, bool isAnswer)
    {
        lock (_gate)
        {
            _modelCalls += isAnswer ? 1 : 0;
            _tokens += tokens;
            _cost += cost ?? 0;
            _unpricedCalls += isAnswer && cost is null ? 1 : 0;
            Add(new ModelUsage(agent, model.ToString(), isAnswer ? 1 : 0, tokens, cost));
        }
    }

    private void Add(ModelUsage more)
    {
        var index = IndexOf(more.Agent, more.Model);
        if (index < 0 && _byModel.Length >= MaxPairs - 1)
        {
            more = more with { Agent = Others, Model = Others };
            index = IndexOf(Others, Others);
        }
        _byModel =
            index < 0
                ? _byModel.Add(more)
                : _byModel.SetItem(
                    index,
                    _byModel[index] with
                    {
                        Calls = _byModel[index].Calls + more.Calls,
                        Tokens = _byModel[index].Tokens + more.Tokens,
                        CostUsd =
                            _byModel[index].CostUsd is null && more.CostUsd is null
                                ? null
                                : (_byModel[index].CostUsd ?? 0) + (more.CostUsd ?? 0),
                    }
                );
    }

    private int IndexOf(string agent, string model)
    {
        for (var i = 0; i < _byModel.Length; i++)
        {
            if (_byModel[i].Agent == agent && _byModel[i].Model == model)
            {
                return i;
            }
        }
        return -1;
    }

    private static void Check(bool holds, string code, long limit, string what, string name)
    {
        if (!holds)
        {
            throw new FaultException(
                code,
                $"the run has used its {limit} {what}",
                $"raise {name} in the definition's limits, up to the server's limit"
            );
        }
    }
}
