using System.Collections.Immutable;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Runs;

/// <summary>Where a run stands after a worker let go of it.</summary>
/// <param name="Run">The run.</param>
/// <param name="State">The state at its newest checkpoint; null where it has none.</param>
/// <param name="Interrupts">The questions that wait for a person.</param>
public sealed record RunOutcome(Run Run, ChannelState? State, ImmutableArray<InterruptRequest> Interrupts)
{
    /// <summary>The answer: the last message's text.</summary>
    public string Output => State?.Get<MessageLog>(MessagesChannel.DefaultName)?.Last?.Text ?? "";
}
