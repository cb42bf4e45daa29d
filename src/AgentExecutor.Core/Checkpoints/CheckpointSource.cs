namespace AgentExecutor.Core.Checkpoints;

/// <summary>What made a checkpoint; stored by its lower-case name.</summary>
public enum CheckpointSource
{
    /// <summary>An input came in.</summary>
    Input,

    /// <summary>A superstep ended.</summary>
    Loop,

    /// <summary>A person or program changed the state.</summary>
    Update,

    /// <summary>The thread was forked here.</summary>
    Fork,
}
