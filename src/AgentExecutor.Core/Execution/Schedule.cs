using System.Collections.Immutable;
using AgentExecutor.Core.Graphs;

namespace AgentExecutor.Core.Execution;

/// <summary>The result of deciding what runs after a superstep.</summary>
/// <param name="Due">The tasks of the next superstep, in order.</param>
/// <param name="Barriers">The updates to the barrier channels of joins.</param>
public readonly record struct Schedule(ImmutableArray<DueTask> Due, ImmutableArray<ChannelWrite> Barriers);

/// <summary>An update to a channel.</summary>
/// <param name="Channel">The channel's index in the graph's channel set.</param>
/// <param name="Update">The update, of the type that the channel expects.</param>
public readonly record struct ChannelWrite(int Channel, object Update);
