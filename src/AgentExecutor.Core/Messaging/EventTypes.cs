namespace AgentExecutor.Core.Messaging;

/// <summary>
/// The types and the source of job events. Other systems depend on them. The names of subjects are in <see cref="BusSubjects"/>.
/// </summary>
public static class EventTypes
{
    public const string Execute = "dev.my-platform.agent.execute";
    public const string Completed = "dev.my-platform.agent.completed";
    public const string Failed = "dev.my-platform.agent.failed";
    public const string Interrupted = "dev.my-platform.agent.interrupted";
    public const string Cancelled = "dev.my-platform.agent.cancelled";

    /// <summary>The source of every result.</summary>
    public const string Source = "agent-executor-service";
}
