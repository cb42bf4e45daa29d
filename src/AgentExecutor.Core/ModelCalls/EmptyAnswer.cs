namespace AgentExecutor.Core.ModelCalls;

/// <summary>The model returned neither text nor a tool call.</summary>
internal sealed class EmptyAnswer : FaultException
{
    public EmptyAnswer()
        : base(
            FaultCodes.ModelUnavailable,
            "the model returned an empty answer",
            "shorten the request, use another model, or configure fallbacks"
        ) => IsTransient = true;

    /// <summary>Returns true if the fault is an empty answer, or if the last of several models returned one.</summary>
    public static bool Is(FaultException fault) => fault is EmptyAnswer || fault.InnerException is EmptyAnswer;
}
