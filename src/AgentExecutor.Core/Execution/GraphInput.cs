using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Core.Execution;

/// <summary>With what a graph is run. A closed family.</summary>
public abstract record GraphInput
{
    private GraphInput()
    {
    }

    /// <summary>Goes on from the newest checkpoint.</summary>
    public sealed record Continue : GraphInput
    {
        public static readonly Continue Instance = new();
    }

    /// <summary>Writes updates to the state and starts from the beginning of the graph. Where the thread has checkpoints, on top of them.</summary>
    /// <param name="Updates">By channel name, each of the channel's own type.</param>
    /// <param name="IsNewThread">The thread is known to have no checkpoint: none is looked for.</param>
    public sealed record Begin(ImmutableArray<KeyValuePair<string, object>> Updates, bool IsNewThread = false) : GraphInput;

    /// <summary>Like <see cref="Begin"/> where there is no checkpoint yet, else like <see cref="Continue"/>: for a sub-graph that may have begun before a crash.</summary>
    public sealed record BeginOrContinue(ImmutableArray<KeyValuePair<string, object>> Updates) : GraphInput;

    /// <summary>Writes updates as if <paramref name="AsNode"/> had made them, and schedules what follows it; runs nothing.</summary>
    public sealed record Edit(ImmutableArray<KeyValuePair<string, object>> Updates, string? AsNode, CheckpointSource Source) : GraphInput;
}
