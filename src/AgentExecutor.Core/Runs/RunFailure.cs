namespace AgentExecutor.Core.Runs;

/// <summary>Why a run failed.</summary>
/// <param name="Code">One of <see cref="FaultCodes"/>.</param>
/// <param name="Message">One plain sentence without secrets.</param>
/// <param name="Type">The name of the error's type, such as <c>FaultException</c>.</param>
/// <param name="Hint">How to fix it, if that is known.</param>
public sealed record RunFailure(string Code, string Message, string Type, string? Hint = null)
{
    public static RunFailure Of(Exception exception) =>
        exception is FaultException fault
            ? new RunFailure(fault.Code, fault.Message, nameof(FaultException), fault.Hint)
            : new RunFailure(FaultCodes.Internal, exception.Message, exception.GetType().Name);
}
