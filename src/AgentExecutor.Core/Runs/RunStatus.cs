namespace AgentExecutor.Core.Runs;

/// <summary>The status of a run. Stored by its lower-case name.</summary>
public enum RunStatus
{
    /// <summary>Waits for a worker: the run is new, forked, or was returned to the queue at a checkpoint.</summary>
    Pending,

    /// <summary>A worker executes the run, or was lost while it did so.</summary>
    Running,

    /// <summary>Waits for a person's answer.</summary>
    Interrupted,

    /// <summary>Waits only for the results of tools that are executed elsewhere. To callers such a run is running.</summary>
    Waiting,

    Completed,

    Failed,

    Cancelled,
}
