namespace AgentExecutor.Core.Events;

/// <summary>An event as it is sent over the wire, encoded once for all subscribers.</summary>
/// <param name="Sequence">The sequence number in the thread.</param>
/// <param name="Type">The name of the event type, one of <see cref="EventKinds.All"/>.</param>
/// <param name="Json">UTF-8 JSON without line breaks, as written by <see cref="RunEventJson"/>.</param>
public readonly record struct StreamEvent(long Sequence, string Type, ReadOnlyMemory<byte> Json)
{
    /// <summary>The fencing token of the attempt that published the event; 0 if it is unknown.</summary>
    public long Attempt { get; init; }

    /// <summary>
    /// Returns true if a worker that was stopped or slow published the event after another worker had taken over the thread.
    /// </summary>
    /// <param name="attempt">The greatest attempt seen for the thread.</param>
    public bool IsSuperseded(long attempt) => Attempt > 0 && Attempt < attempt;

    /// <summary>True if the run has ended or waits for a person.</summary>
    public bool IsEnd => Type == EventKinds.End;

    /// <summary>True if the event is stored in the log, which chunks are not.</summary>
    public bool IsLogged => Type != EventKinds.LlmStream;
}

/// <summary>The names of event types on the wire.</summary>
public static class EventKinds
{
    public const string LlmStream = "on_llm_stream";
    public const string ToolStart = "on_tool_start";
    public const string ToolProgress = "on_tool_progress";
    public const string ToolEnd = "on_tool_end";
    public const string StateUpdate = "on_state_update";
    public const string Interrupt = "on_interrupt";
    public const string Error = "on_error";
    public const string End = "end";

    public static readonly IReadOnlyList<string> All = [LlmStream, ToolStart, ToolProgress, ToolEnd, StateUpdate, Interrupt, Error, End];
}
