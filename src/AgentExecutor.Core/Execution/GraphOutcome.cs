using System.Collections.Immutable;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Execution;

/// <summary>
/// The result of a graph run that did not fail: either the graph is finished, or it waits for answers. Failures are thrown.
/// </summary>
/// <param name="State">The state at the newest checkpoint.</param>
/// <param name="Interrupts">The unanswered questions; empty if the graph is finished.</param>
public sealed record GraphOutcome(ChannelState State, ImmutableArray<InterruptRequest> Interrupts)
{
    public bool IsFinished => Interrupts.IsEmpty;
}
