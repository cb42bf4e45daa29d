using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Core.Execution;

/// <summary>What a graph run starts from. This is a closed family.</summary>
public abstract record GraphInput
{
    private GraphInput() { }

    /// <summary>Continues from the newest checkpoint.</summary>
    public sealed record Continue : GraphInput
    {
        public static readonly Continue Instance = new();
    }

    /// <summary>
    /// Writes the updates to the state and starts at the graph's beginning. If the thread already has checkpoints, the updates are applied
    /// to the newest one.
    /// </summary>
    /// <param name="Updates">The updates by channel name, each of the channel's own type.</param>
    /// <param name="IsNewThread">True if the thread is known to have no checkpoint, so that the store is not asked for one.</param>
    public sealed record Begin(ImmutableArray<KeyValuePair<string, object>> Updates, bool IsNewThread = false) : GraphInput;

    /// <summary>
    /// Behaves like <see cref="Begin"/> if there is no checkpoint yet, and like <see cref="Continue"/> otherwise. Used for sub-graphs,
    /// which may have started before a crash.
    /// </summary>
    public sealed record BeginOrContinue(ImmutableArray<KeyValuePair<string, object>> Updates) : GraphInput;

    /// <summary>
    /// Writes the updates as if the node <paramref name="AsNode"/> had written them, and schedules that node's successors without running
    /// them.
    /// </summary>
    public sealed record Edit(ImmutableArray<KeyValuePair<string, object>> Updates, string? AsNode, CheckpointSource Source) : GraphInput;
}
