using System.Collections.Immutable;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Sessions;

/// <summary>The result of a transition: the next state of the run, and the events to publish once it is stored.</summary>
public sealed record RunChange(Run Run, ImmutableArray<RunEvent> Events);
