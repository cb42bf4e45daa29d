using System.Collections.Immutable;

namespace AgentExecutor.Core.Execution;

/// <summary>What follows a superstep.</summary>
/// <param name="Due">The tasks of the next superstep, in order.</param>
/// <param name="Barriers">What changes on the joins' barrier channels.</param>
public readonly record struct Schedule(ImmutableArray<DueTask> Due, ImmutableArray<ChannelWrite> Barriers);

/// <summary>An update of a channel.</summary>
/// <param name="Channel">The channel's index in its set.</param>
/// <param name="Update">The update, of the channel's own type.</param>
public readonly record struct ChannelWrite(int Channel, object Update);
