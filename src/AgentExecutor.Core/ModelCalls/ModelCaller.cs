using System.Collections.Immutable;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>Asks an agent's model and, where that fails for good, those that stand in for it, in order.</summary>
internal sealed class ModelCaller
{
    private readonly AgentSpec _agent;
    private readonly ImmutableArray<ModelAttempts> _line;

    /// <exception cref="FaultException">A provider does not exist, or has no such client.</exception>
    public ModelCaller(AgentSpec agent, ModelCatalog models)
    {
        _agent = agent;
        _line = [.. agent.Model.Fallbacks.Prepend(agent.Model).Select((spec, i) => new ModelAttempts(agent.Name, spec, models.AddressOf(spec), models.CreateClient(spec), i == 0 ? "" : $"{i}."))];
    }

    /// <exception cref="FaultException">All of them failed, or one so that no other can do better.</exception>
    public async ValueTask<Message> CallAsync(ModelRequest request, GraphScope scope, CancellationToken cancellationToken)
    {
        if (request.MayHaveBegun)
        {
            new ModelAnswer(_agent.Name, _agent.Model, request.MessageId, scope).Supersede("the run was taken up again");
        }
        var failed = new List<string>();
        for (var i = 0; ; i++)
        {
            var isLast = i == _line.Length - 1;
            try
            {
                return await _line[i].CallAsync(request, isLast, scope, cancellationToken);
            }
            catch (FaultException fault)
            {
                if (!isLast && FallbackRule.Applies(fault, _agent.Model, request.MaySummarize))
                {
                    failed.Add($"{_line[i].Spec}: {fault.Message} [{fault.Code}]");
                    ModelSpan.Count(_line[i].Spec, "fell_back");
                    new ModelAnswer(_agent.Name, _agent.Model, request.MessageId, scope).Supersede($"{fault.Message}; {_line[i + 1].Spec} is asked instead");
                    continue;
                }
                if (FallbackRule.IsOfAModel(fault)) // else a limit or a budget: no call was made
                {
                    ModelSpan.Count(_line[i].Spec, "failed");
                }
                if (failed.Count == 0 || fault is BudgetException) // which is answered by what it holds
                {
                    throw;
                }
                throw new FaultException(fault.Code, $"{fault.Message} ({_line[i].Spec}; before it failed {string.Join("; ", failed)})", fault.Hint, fault)
                {
                    IsTransient = fault.IsTransient,
                    RetryAfter = fault.RetryAfter,
                };
            }
        }
    }
}
