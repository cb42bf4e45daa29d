using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Sessions;

/// <summary>
/// What happens to a call that was in flight when its worker died, if every call of the tool takes effect (<see cref="ToolEffects.Once"/>).
/// </summary>
public enum UnknownOutcome
{
    /// <summary>The run is interrupted, so that a person can find out and decide.</summary>
    Ask,

    /// <summary>The model is informed that the outcome is unknown.</summary>
    TellModel,
}
