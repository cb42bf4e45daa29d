using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Workers;

/// <summary>What a worker works with; shared with whatever else the process does.</summary>
/// <param name="Queue">The runs that wait, and their leases.</param>
/// <param name="Outbox">Their outcomes.</param>
/// <param name="Bus">Jobs in, results out.</param>
/// <param name="AckWait">How long the bus waits for a sign of a job.</param>
/// <param name="Desk">Makes runs of jobs.</param>
/// <param name="Executor">Runs them.</param>
/// <param name="Control">Has runs begin again.</param>
/// <param name="Keeper">Keeps this process's leases.</param>
/// <param name="Waits">Who waits for outcomes.</param>
public sealed record WorkerServices(
    IRunQueue Queue, IOutbox Outbox, IEventBus Bus, TimeSpan AckWait, JobDesk Desk, RunExecutor Executor, RunControl Control, LeaseKeeper Keeper, RunWaits Waits);
