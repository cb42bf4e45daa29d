using AgentExecutor.Adapters;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Streaming;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Server.Hosting;

/// <summary>
/// The parts of the service that need its store. They are created when the store can be used; see <see cref="StoreOpener"/>.
/// </summary>
/// <param name="Store">The threads, their queue and their results.</param>
/// <param name="Waiters">Find the results of the jobs that requests wait for.</param>
/// <param name="Live">Delivers the events of runs to watchers.</param>
/// <param name="Worker">Executes jobs, if this process has the role.</param>
/// <param name="Janitor">Deletes expired data, if this process has the role.</param>
internal sealed record Service(ThreadStore Store, OutcomeWaiters Waiters, LiveEvents Live, Worker Worker, Janitor Janitor);
