using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;

namespace AgentExecutor.Core.Workers;

/// <summary>The services that a worker uses. It shares them with the rest of the process.</summary>
/// <param name="Queue">The waiting runs and the leases of the running ones.</param>
/// <param name="Outbox">The outcomes of runs.</param>
/// <param name="Bus">Delivers jobs and receives their results.</param>
/// <param name="Admitter">Stores jobs as runs.</param>
/// <param name="Executor">Executes runs.</param>
/// <param name="Control">Starts failed runs again and cancels runs.</param>
/// <param name="Keeper">Renews the leases of this process.</param>
/// <param name="Waiters">The callers that wait for outcomes.</param>
/// <param name="Interrupts">The questions and external tool calls for which runs wait.</param>
public sealed record WorkerServices(
    IRunQueue Queue,
    IOutbox Outbox,
    IEventBus Bus,
    JobAdmitter Admitter,
    RunExecutor Executor,
    RunControl Control,
    LeaseKeeper Keeper,
    OutcomeWaiters Waiters,
    IInterruptStore Interrupts
)
{
    /// <summary>Creates the links to questions, or null if events contain none.</summary>
    public QuestionLinks? Links { get; init; }
}
