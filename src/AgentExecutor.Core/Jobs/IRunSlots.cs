using AgentExecutor.Core.Queues;

namespace AgentExecutor.Core.Jobs;

/// <summary>The slots of a worker, in which jobs run that were claimed when they were stored.</summary>
internal interface IRunSlots
{
    /// <summary>How many runs the worker executes at once.</summary>
    int Total { get; }

    /// <summary>How many slots are in use.</summary>
    int Taken { get; }

    /// <summary>How many runs only wait, and have given up their slots.</summary>
    int Waiting { get; }

    /// <summary>Starts a claimed run.</summary>
    void Begin(ClaimedRun claimed);
}
