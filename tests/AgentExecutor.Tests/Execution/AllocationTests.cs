using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;

namespace AgentExecutor.Tests.Execution;

/// <summary>Counts the allocations of the whole process, and therefore runs while no other test does.</summary>
[CollectionDefinition(nameof(AllocationTests), DisableParallelization = true)]
public sealed class AllocationsCollection;

/// <summary>
/// Checks the number of bytes that a superstep allocates. The <c>engine</c> benchmark reports it as allocated_bytes_per_superstep.
/// </summary>
[Collection(nameof(AllocationTests))]
public sealed class AllocationTests
{
    private const int WarmUp = 30_000;
    private const int Rounds = 3;

    /// <summary>5,394 to 5,562 bytes were measured, depending on how much of the code the runtime had optimized by then.</summary>
    private const int MaxBytesPerSuperstep = 5_650;

    [Fact]
    public async Task A_superstep_allocates_no_more_than_it_did()
    {
        await LoopAsync(WarmUp);

        Assert.InRange(await BytesPerSuperstepAsync(supersteps: 5_000), 1, MaxBytesPerSuperstep);
    }

    [Fact]
    public async Task The_length_of_a_thread_does_not_change_what_a_superstep_allocates()
    {
        await LoopAsync(WarmUp);

        var few = await BytesPerSuperstepAsync(supersteps: 2_000);
        Assert.InRange(await BytesPerSuperstepAsync(supersteps: 20_000), 1, few * 1.05);
    }

    /// <summary>Returns the smallest figure of several rounds, because threads of tests that have ended may still allocate.</summary>
    private static async Task<double> BytesPerSuperstepAsync(int supersteps)
    {
        var least = double.MaxValue;
        for (var round = 0; round < Rounds; round++)
        {
            var before = GC.GetTotalAllocatedBytes(precise: true);
            await LoopAsync(supersteps);
            least = Math.Min(least, (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)supersteps);
        }
        return least;
    }

    private static async Task LoopAsync(int supersteps)
    {
        var run = new Run
        {
            ThreadId = "t",
            RunId = "r",
            DefinitionHash = "",
            Status = RunStatus.Running,
            Fence = 1,
            Attempt = 1,
        };
        var services = new RunServices(new InMemoryCheckpointStore(), new InMemoryEventStream(), TimeProvider.System);
        using var session = new RunSession(run, services, RunLimits.None);
        await Engine.RunAsync(TwoNodes(supersteps), session, new GraphInput.Begin([new("n", JsonBytes.Number(0))]));
    }

    /// <summary>Returns a graph of two nodes that pass a counter to each other until it reaches the number of supersteps.</summary>
    private static Graph TwoNodes(int supersteps)
    {
        var count = new DelegateNode(
            (context, _) =>
            {
                context.Write("n", JsonBytes.Number(Counter(context.State) + 1));
                return ValueTask.CompletedTask;
            }
        );
        return new Graph(
            "two-nodes",
            [new Node("ping", count), new Node("pong", count)],
            [
                new Edge.Direct(Graph.Start, "ping"),
                new Edge.Direct("ping", "pong"),
                new Edge.When("pong", "ping", state => Counter(state) < supersteps, "n < supersteps"),
                new Edge.Otherwise("pong", Graph.End),
            ],
            [new LastValueChannel("n")]
        );
    }

    private static long Counter(StateView view) => ((JsonElement)view.State["n"]!).GetInt64();
}
