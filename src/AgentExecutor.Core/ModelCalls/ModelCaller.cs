using System.Collections.Immutable;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>Asks an agent's model and, if it fails for good, its fallbacks, in order.</summary>
internal sealed class ModelCaller
{
    private readonly string _agent;
    private readonly ModelSpec _model;
    private readonly ImmutableArray<ModelAttempts> _models;

    /// <param name="agent">The name of the agent on whose behalf the model is called.</param>
    /// <param name="model">The agent's model, with its fallbacks.</param>
    /// <param name="models">The providers that create the clients.</param>
    /// <exception cref="FaultException">A provider does not exist or cannot create the client.</exception>
    public ModelCaller(string agent, ModelSpec model, ModelCatalog models)
    {
        (_agent, _model) = (agent, model);
        _models =
        [
            .. model
                .Fallbacks.Prepend(model)
                .Select(
                    (spec, i) => new ModelAttempts(agent, spec, models.AddressOf(spec), models.CreateClient(spec), i == 0 ? "" : $"{i}.")
                ),
        ];
    }

    /// <exception cref="FaultException">All models failed, or one failed in a way that no fallback can help with.</exception>
    public async ValueTask<Message> CallAsync(ModelRequest request, GraphScope scope, CancellationToken cancellationToken)
    {
        if (request.MayHaveBegun)
        {
            new ModelAnswer(_agent, _model, request.MessageId, scope).Supersede("the run was resumed by another attempt");
        }
        var failed = new List<string>();
        for (var i = 0; ; i++)
        {
            var isLast = i == _models.Length - 1;
            try
            {
                return await _models[i].CallAsync(request, isLast, scope, cancellationToken);
            }
            catch (FaultException fault)
            {
                if (!isLast && FallbackRule.Applies(fault, _model, request.MaySummarize))
                {
                    failed.Add($"{_models[i].Spec}: {fault.Message} [{fault.Code}]");
                    ModelSpan.Count(_models[i].Spec, scope.Session.Services.Prices, "fell_back");
                    new ModelAnswer(_agent, _model, request.MessageId, scope).Supersede(
                        $"{fault.Message}; {_models[i + 1].Spec} is asked instead"
                    );
                    continue;
                }
                // Limits and budgets of the run prevent the call, so it is not counted.
                if (FallbackRule.IsModelFault(fault))
                {
                    ModelSpan.Count(_models[i].Spec, scope.Session.Services.Prices, "failed");
                }
                // A budget exception carries the values that the caller needs, so it is not wrapped.
                if (failed.Count == 0 || fault is BudgetException)
                {
                    throw;
                }
                throw new FaultException(
                    fault.Code,
                    $"{fault.Message} ({_models[i].Spec}; before it failed {string.Join("; ", failed)})",
                    fault.Hint,
                    fault
                )
                {
                    IsTransient = fault.IsTransient,
                    RetryAfter = fault.RetryAfter,
                };
            }
        }
    }
}
