namespace AgentExecutor.Core.Tools;

/// <summary>What becomes of a call that was in flight when its worker died, where each call has its effect (<see cref="ToolEffects.Once"/>).</summary>
public enum UnknownOutcome
{
    /// <summary>The run interrupts: a person finds out, and decides.</summary>
    Ask,

    /// <summary>The model is told that nobody knows.</summary>
    TellModel,
}
