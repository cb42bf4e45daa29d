namespace AgentExecutor.Core.Events;

/// <summary>An event as it goes over the wire, encoded once for all who watch.</summary>
/// <param name="Sequence">Its number in the thread.</param>
/// <param name="Type">Its wire name, one of <see cref="EventKinds.All"/>.</param>
/// <param name="Json">UTF-8 JSON without a line break, as <see cref="RunEventJson"/> makes it.</param>
public readonly record struct StreamEvent(long Sequence, string Type, ReadOnlyMemory<byte> Json)
{
    /// <summary>The run has ended, or waits for a person.</summary>
    public bool IsEnd => Type == EventKinds.End;

    /// <summary>The log keeps it: chunks live shorter.</summary>
    public bool IsLogged => Type != EventKinds.LlmStream;
}

/// <summary>The wire names of events.</summary>
public static class EventKinds
{
    public const string LlmStream = "on_llm_stream";
    public const string ToolStart = "on_tool_start";
    public const string ToolEnd = "on_tool_end";
    public const string StateUpdate = "on_state_update";
    public const string Interrupt = "on_interrupt";
    public const string Error = "on_error";
    public const string End = "end";

    public static readonly IReadOnlyList<string> All = [LlmStream, ToolStart, ToolEnd, StateUpdate, Interrupt, Error, End];
}
