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

    /// <summary>A call of a tool that is executed elsewhere.</summary>
    public const string ToolRequested = "dev.my-platform.agent.tool.requested";

    /// <summary>The result of such a call.</summary>
    public const string ToolCompleted = "dev.my-platform.agent.tool.completed";

    /// <summary>Answers to the questions of a run.</summary>
    public const string Resume = "dev.my-platform.agent.resume";

    /// <summary>The source of every result.</summary>
    public const string Source = "agent-executor-service";
}
