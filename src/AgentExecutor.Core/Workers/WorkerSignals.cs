using AgentExecutor.Core.Queues;

namespace AgentExecutor.Core.Workers;

/// <summary>Wakes the parts of a worker that wait for work.</summary>
internal sealed class WorkerSignals : IDisposable
{
    private volatile bool _mayHaveMore = true;

    /// <summary>Wakes the claimer: a run may be due.</summary>
    public WakeSignal Claimer { get; } = new();

    /// <summary>Wakes the intake: a slot may be free.</summary>
    public WakeSignal Intake { get; } = new();

    /// <summary>Wakes the relay: an outcome may have to be published.</summary>
    public WakeSignal Relay { get; } = new();

    /// <summary>Wakes the relay of other messages: a tool may have been called.</summary>
    public WakeSignal Notices { get; } = new();

    /// <summary>The last claim may have left runs in the queue, or no slot was free for a claim.</summary>
    public bool MayHaveMore
    {
        get => _mayHaveMore;
        set => _mayHaveMore = value;
    }

    /// <summary>Reports that a run has ended or was returned to the queue, and that its slot is free.</summary>
    public void RunEnded(ClaimedRun run)
    {
        Intake.Set();
        Relay.Set();
        Notices.Set();
        // The end of a run that was claimed together with its message makes no other run of the queue due.
        if (!run.IsNewThread || MayHaveMore)
        {
            Claimer.Set();
        }
    }

    /// <summary>Reports that a waiting run has released its slot.</summary>
    public void SlotReleased()
    {
        Intake.Set();
        if (MayHaveMore)
        {
            Claimer.Set();
        }
    }

    public void Dispose()
    {
        Claimer.Dispose();
        Intake.Dispose();
        Relay.Dispose();
        Notices.Dispose();
    }
}
