using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>Decides whether another model may succeed after one has failed for good.</summary>
public static class FallbackRule
{
    /// <param name="fault">The fault of the model, after its last attempt.</param>
    /// <param name="spec">The agent's first model.</param>
    /// <param name="maySummarize">True if the conversation can be shortened instead.</param>
    public static bool Applies(FaultException fault, ModelSpec spec, bool maySummarize) =>
        fault.Code switch
        {
            FaultCodes.ModelUnavailable
            or FaultCodes.ModelTimeout
            or FaultCodes.ModelRateLimited
            or FaultCodes.ModelAuthentication
            or FaultCodes.ModelNotFound => true,
            FaultCodes.ModelRefused => spec.FallbackOnRefusal,
            FaultCodes.ModelContextOverflow => !maySummarize,
            _ => false, // a request that one server rejects as invalid would most likely be rejected by the others, too
        };

    /// <summary>Returns true if the fault came from a model rather than from the run or its limits.</summary>
    public static bool IsModelFault(FaultException fault) =>
        fault.Code.StartsWith("model_", StringComparison.Ordinal) || fault.Code is FaultCodes.InvalidOutput or FaultCodes.ScriptExhausted;
}
