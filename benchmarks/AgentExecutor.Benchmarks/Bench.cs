using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;

namespace AgentExecutor.Benchmarks;

/// <summary>Runs graphs in the same way as the product, but without the command line.</summary>
internal static class Bench
{
    public static RunSession Session(
        ICheckpointStore store,
        string threadId,
        LeaseKeeper? keeper = null,
        CancellationToken stopping = default
    ) =>
        new(
            new Run
            {
                ThreadId = threadId,
                RunId = threadId,
                DefinitionHash = "",
                Status = RunStatus.Running,
                Fence = 1,
                Attempt = 1,
            },
            new RunServices(store, new InMemoryEventStream(), TimeProvider.System) { Keeper = keeper },
            RunLimits.None,
            stopping: stopping
        );

    public static async Task RunAsync(Graph graph, RunSession session, string channel, object update) =>
        await new GraphRunner(graph, GraphScope.Root(session)).RunAsync(
            new GraphInput.Begin([new(channel, update)]),
            CancellationToken.None
        );
}
