using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Core.Budgets;

/// <summary>A model call that is about to be made.</summary>
/// <param name="Agent">The agent that makes the call.</param>
/// <param name="Model">The model.</param>
/// <param name="Id">The id of this attempt within the thread.</param>
/// <param name="InputTokens">The estimated number of input tokens.</param>
public sealed record PlannedCall(string Agent, ModelSpec Model, string Id, long InputTokens)
{
    /// <summary>
    /// True if the cheaper model is called because the budget did not cover the agent's own model. Only the run's limits apply to it.
    /// </summary>
    public bool IsCheaperModel { get; init; }
}
