namespace AgentExecutor.Core.Messages;

/// <summary>The author of a message. Messages are stored with the lower-case names, as in LangGraph.</summary>
public enum MessageType
{
    Human,
    Ai,
    System,
    Tool,
}
