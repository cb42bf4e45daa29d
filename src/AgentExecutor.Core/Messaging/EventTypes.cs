namespace AgentExecutor.Core.Messaging;

/// <summary>The names that stand in events of jobs and on their way. Other systems depend on them.</summary>
public static class EventTypes
{
    public const string Execute = "dev.my-platform.agent.execute";
    public const string Completed = "dev.my-platform.agent.completed";
    public const string Failed = "dev.my-platform.agent.failed";
    public const string Interrupted = "dev.my-platform.agent.interrupted";
    public const string Cancelled = "dev.my-platform.agent.cancelled";

    /// <summary>The source of every result.</summary>
    public const string Source = "agent-executor-service";

    public const string ExecuteSubjects = "agent.execute.*";
    public const string StatusSubjects = "agent.status.*";
    public const string DeadLetterSubjects = "agent.dead-letter.*";

    public const string CompletedSubject = "agent.status.completed";
    public const string FailedSubject = "agent.status.failed";
    public const string InterruptedSubject = "agent.status.interrupted";
    public const string CancelledSubject = "agent.status.cancelled";
}
