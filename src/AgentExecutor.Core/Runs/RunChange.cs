using System.Collections.Immutable;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Core.Runs;

/// <summary>What a transition makes of a run: its next state, and the events that tell of it once it is stored.</summary>
public sealed record RunChange(Run Run, ImmutableArray<RunEvent> Events);
