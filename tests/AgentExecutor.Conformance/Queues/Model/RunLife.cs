using AgentExecutor.Core.Runs;

namespace AgentExecutor.Conformance.Queues.Model;

/// <summary>The expected state of a thread from its first run until it is deleted, as far as the commands have determined it.</summary>
internal sealed class ThreadLife
{
    /// <summary>The greatest fencing token so far, including those of earlier threads with the same id.</summary>
    public long Fence { get; set; }

    /// <summary>The claim that holds the thread, or null.</summary>
    public WorkerClaim? Holder { get; set; }

    /// <summary>True if a deletion was interrupted. The remaining runs have finished, and a later deletion removes them.</summary>
    public bool IsDeleting { get; set; }

    public Dictionary<string, RunLife> Runs { get; } = new(StringComparer.Ordinal);
}

/// <summary>The expected state of a run.</summary>
internal sealed class RunLife
{
    public RunStatus Status { get; set; } = RunStatus.Pending;

    /// <summary>True if a cancellation of the run was accepted.</summary>
    public bool IsCancelAccepted { get; set; }

    /// <summary>The published outcomes, in order.</summary>
    public List<RunStatus> Announced { get; } = [];
}

/// <summary>A run that a worker has claimed, as the worker knows it. The worker may have lost it since.</summary>
internal sealed class WorkerClaim(int worker, Run run, ThreadLife life)
{
    public int Worker => worker;

    /// <summary>The run as the worker last stored it.</summary>
    public Run Run { get; set; } = run;

    public ThreadLife Life => life;

    /// <summary>True if the lease has expired but was not ended yet.</summary>
    public bool HasExpired { get; set; }

    /// <summary>True if the claim holds the thread according to the model.</summary>
    public bool IsHolder => life.Holder == this;
}
