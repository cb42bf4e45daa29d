namespace AgentExecutor.Core.Checkpoints;

/// <summary>What created a checkpoint. Stored by its lower-case name.</summary>
public enum CheckpointSource
{
    /// <summary>An input was applied.</summary>
    Input,

    /// <summary>A superstep ended.</summary>
    Loop,

    /// <summary>A person or program edited the state.</summary>
    Update,

    /// <summary>The thread was forked at this checkpoint.</summary>
    Fork,
}
