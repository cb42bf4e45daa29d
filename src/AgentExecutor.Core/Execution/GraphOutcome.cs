using System.Collections.Immutable;
using AgentExecutor.Core.Execution.Channels;

namespace AgentExecutor.Core.Execution;

/// <summary>How a graph's run ended: with nothing left to do, or waiting for answers. Faults are thrown.</summary>
/// <param name="State">The state at the newest checkpoint.</param>
/// <param name="Interrupts">The open questions; empty where the graph is finished.</param>
public sealed record GraphOutcome(ChannelState State, ImmutableArray<InterruptRequest> Interrupts)
{
    public bool IsFinished => Interrupts.IsEmpty;
}
