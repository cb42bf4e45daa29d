namespace AgentExecutor.Core.Runs;

/// <summary>Where a run stands; stored by its lower-case name.</summary>
public enum RunStatus
{
    /// <summary>Waits for a worker: new, forked, or given back at a checkpoint.</summary>
    Pending,

    /// <summary>A worker has it, or died with it.</summary>
    Running,

    /// <summary>Waits for a person's answer.</summary>
    Interrupted,

    Completed,

    Failed,

    Cancelled,
}
