namespace AgentExecutor.Core.Messages;

/// <summary>Who speaks; the stored kinds are the lower-case names, as LangGraph has them.</summary>
public enum MessageType
{
    Human,
    Ai,
    System,
    Tool,
}
