using System.Collections.Immutable;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Threads;

/// <summary>The state of a run after a worker has stopped executing it.</summary>
/// <param name="Run">The run.</param>
/// <param name="State">The state at its newest checkpoint, or null if it has none.</param>
/// <param name="Interrupts">The interrupts that wait for an answer.</param>
public sealed record RunOutcome(Run Run, ChannelState? State, ImmutableArray<InterruptRequest> Interrupts)
{
    /// <summary>The answer: the last message's text.</summary>
    public string Output => State?.Get<MessageLog>(MessagesChannel.DefaultName)?.Last?.Text ?? "";
}
