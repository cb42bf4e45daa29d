using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>Whether another model may do better than one that has failed for good.</summary>
public static class FallbackRule
{
    /// <param name="fault">What the model failed with, its attempts spent.</param>
    /// <param name="spec">The model that the agent names first.</param>
    /// <param name="maySummarize">The conversation can be made shorter first.</param>
    public static bool Applies(FaultException fault, ModelSpec spec, bool maySummarize) => fault.Code switch
    {
        FaultCodes.ModelUnavailable or FaultCodes.ModelTimeout or FaultCodes.ModelRateLimited or FaultCodes.ModelAuthentication or FaultCodes.ModelNotFound => true,
        FaultCodes.ModelRefused => spec.FallbackOnRefusal,
        FaultCodes.ModelContextOverflow => !maySummarize,
        _ => false, // a request that one model server calls invalid is most likely at fault itself
    };

    /// <summary>The fault came from a model, and not from the run or its limits.</summary>
    public static bool IsOfAModel(FaultException fault) => fault.Code.StartsWith("model_", StringComparison.Ordinal) || fault.Code is FaultCodes.InvalidOutput or FaultCodes.ScriptExhausted;
}
