using System.Collections.Immutable;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Events;

/// <summary>Something that happened in a run. A closed family; the wire names stand in <see cref="RunEventJson"/>.</summary>
public abstract record RunEvent
{
    private RunEvent()
    {
    }

    /// <summary>The namespace of the sub-agent in which it happened; empty for the root.</summary>
    public string Namespace { get; init; } = "";

    /// <summary>A chunk of a model's answer: text, thought, or the beginning of a tool call.</summary>
    public sealed record LlmStream(string Agent, string MessageId, string Text, string? Reasoning = null, ToolCall? ToolCall = null) : RunEvent;

    /// <summary>What was streamed of this message so far does not count: the call is made again.</summary>
    public sealed record LlmSuperseded(string Agent, string MessageId, string Reason) : RunEvent;

    public sealed record ToolStarted(string Agent, ToolCall Call) : RunEvent;

    public sealed record ToolEnded(string Agent, ToolCall Call, string Content, bool IsError, TimeSpan Duration) : RunEvent;

    /// <summary>A superstep ended; what it changed, by channel, as UTF-8 JSON.</summary>
    /// <param name="CheckpointId">The checkpoint that holds it.</param>
    /// <param name="Step">The superstep's number.</param>
    /// <param name="Nodes">Which nodes ran.</param>
    /// <param name="Changes">The updates of delta channels, the new values of the others.</param>
    /// <param name="State">The whole state after it. Written as JSON only if someone reads it.</param>
    /// <param name="IsFinal">The run ends here: the whole state is told, instead of what changed.</param>
    public sealed record StateUpdated(
        string CheckpointId, int Step, ImmutableArray<string> Nodes, ImmutableArray<ChannelUpdate> Changes, ChannelState? State = null, bool IsFinal = false) : RunEvent
    {
        /// <summary>The state that the run ends with.</summary>
        public ChannelState? Final => IsFinal ? State : null;

        /// <summary>What changed, or at the end all there is.</summary>
        public ImmutableArray<ChannelUpdate> Channels => ChannelsAs(StreamState.Updates);

        /// <summary>Whole values are the thread's: a sub-agent tells what it changed in either case.</summary>
        public ImmutableArray<ChannelUpdate> ChannelsAs(StreamState form) =>
            State is not null && (IsFinal || (form == StreamState.Values && Namespace.Length == 0)) ? ChannelUpdate.Whole(State) : Changes;
    }

    public sealed record Interrupted(ImmutableArray<InterruptRequest> Interrupts) : RunEvent;

    public sealed record Failed(RunFailure Failure) : RunEvent;

    /// <summary>The last event of a run.</summary>
    public sealed record Ended(RunStatus Status, RunUsage Usage) : RunEvent;
}

/// <summary>A channel's change in an event.</summary>
/// <param name="Channel">The channel.</param>
/// <param name="Json">One UTF-8 JSON value a task that wrote (delta channels), or the new value alone.</param>
public readonly record struct ChannelUpdate(string Channel, ImmutableArray<ReadOnlyMemory<byte>> Json)
{
    /// <summary>The JSON is the whole value although it is a delta channel's: there were no writes to tell.</summary>
    public bool IsWhole { get; init; }

    /// <summary>Every channel that has a value, whole.</summary>
    public static ImmutableArray<ChannelUpdate> Whole(ChannelState state) => [.. state.Slots
        .Select((slot, index) => (Channel: state.Channels[index], slot.Value))
        .Where(it => it.Value is not null)
        .Select(it => new ChannelUpdate(it.Channel.Name, [it.Channel.EncodeValue(it.Value!)]))];
}
