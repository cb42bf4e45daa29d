using System.Collections.Immutable;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Events;

/// <summary>
/// Something that happened in a run. This is a closed family; <see cref="RunEventJson"/> defines the names used on the wire.
/// </summary>
public abstract record RunEvent
{
    private RunEvent() { }

    /// <summary>The namespace of the sub-agent in which the event happened; empty for the root graph.</summary>
    public string Namespace { get; init; } = "";

    /// <summary>A chunk of a model's answer: text, reasoning, or the start of a tool call.</summary>
    public sealed record LlmStream(string Agent, string MessageId, string Text, string? Reasoning = null, ToolCall? ToolCall = null)
        : RunEvent;

    /// <summary>Everything that was streamed of this message so far is void, because the call is made again.</summary>
    public sealed record LlmSuperseded(string Agent, string MessageId, string Reason) : RunEvent;

    public sealed record ToolStarted(string Agent, ToolCall Call) : RunEvent;

    /// <summary>What a tool reports while a call runs, or has written to its log.</summary>
    /// <param name="Agent">The agent that made the call.</param>
    /// <param name="Call">The call.</param>
    /// <param name="Message">The text; null if there is none.</param>
    /// <param name="Progress">How much of the work is done; null if it is unknown.</param>
    /// <param name="Total">The amount of the whole work, in the unit of <paramref name="Progress"/>; null if it is unknown.</param>
    public sealed record ToolProgress(string Agent, ToolCall Call, string? Message, double? Progress = null, double? Total = null)
        : RunEvent;

    public sealed record ToolEnded(string Agent, ToolCall Call, string Content, bool IsError, TimeSpan Duration) : RunEvent;

    /// <summary>The end of a superstep with its changes by channel, as UTF-8 JSON.</summary>
    /// <param name="CheckpointId">The checkpoint that contains the changes.</param>
    /// <param name="Step">The superstep's number.</param>
    /// <param name="Nodes">The nodes that ran.</param>
    /// <param name="Changes">The updates of delta channels and the new values of other channels.</param>
    /// <param name="State">The whole state after the superstep. It is converted to JSON only if it is needed.</param>
    /// <param name="IsFinal">True if the run ends here. The event then contains the whole state instead of the changes.</param>
    public sealed record StateUpdated(
        string CheckpointId,
        int Step,
        ImmutableArray<string> Nodes,
        ImmutableArray<ChannelUpdate> Changes,
        ChannelState? State = null,
        bool IsFinal = false
    ) : RunEvent
    {
        /// <summary>The final state of the run; null for other events.</summary>
        public ChannelState? Final => IsFinal ? State : null;

        /// <summary>The changes, or the whole state if the run ends here.</summary>
        public ImmutableArray<ChannelUpdate> Channels => ChannelsAs(StreamState.Updates);

        /// <summary>
        /// Returns the channels in the requested form. Whole values are only published for the root graph; a sub-agent always publishes its
        /// changes.
        /// </summary>
        public ImmutableArray<ChannelUpdate> ChannelsAs(StreamState form) =>
            State is not null && (IsFinal || (form == StreamState.Values && Namespace.Length == 0)) ? ChannelUpdate.Whole(State) : Changes;
    }

    public sealed record Interrupted(ImmutableArray<InterruptRequest> Interrupts) : RunEvent;

    public sealed record Failed(RunFailure Failure) : RunEvent;

    /// <summary>The last event of a run.</summary>
    public sealed record Ended(RunStatus Status, RunUsage Usage) : RunEvent;
}

/// <summary>The change of a channel in an event.</summary>
/// <param name="Channel">The channel.</param>
/// <param name="Json">For a delta channel: one UTF-8 JSON value per task that wrote to it. Otherwise: the new value.</param>
public readonly record struct ChannelUpdate(string Channel, ImmutableArray<ReadOnlyMemory<byte>> Json)
{
    /// <summary>True if the JSON is the whole value of a delta channel, because there were no writes.</summary>
    public bool IsWhole { get; init; }

    /// <summary>Returns the whole values of all channels that have one.</summary>
    public static ImmutableArray<ChannelUpdate> Whole(ChannelState state) =>
        [
            .. state
                .Slots.Select((slot, index) => (Channel: state.Channels[index], slot.Value))
                .Where(it => it.Value is not null)
                .Select(it => new ChannelUpdate(it.Channel.Name, [it.Channel.EncodeValue(it.Value!)])),
        ];
}
