using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Core.Runs;

/// <summary>What a run needs of the world.</summary>
/// <param name="Checkpoints">Where its steps are kept.</param>
/// <param name="Events">Who watches.</param>
/// <param name="Time">The clock.</param>
public sealed record RunServices(ICheckpointStore Checkpoints, IEventStream Events, TimeProvider Time);
