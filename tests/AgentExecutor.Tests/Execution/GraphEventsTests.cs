using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using static AgentExecutor.Tests.Engine;

namespace AgentExecutor.Tests.Execution;

/// <summary>The events that a graph publishes.</summary>
public sealed class GraphEventsTests
{
    private static readonly string Start = Graph.Start;

    [Fact]
    public async Task Events_mark_the_delta_channels_that_are_published_as_a_whole()
    {
        var engine = new Engine();
        var graph = new Graph(
            "g",
            [Node("a", context => context.WriteJson("plain", JsonBytes.Text("1"))), Logs("b"), Logs("c")],
            [new Edge.Direct(Start, "a"), new Edge.Direct("a", "b"), new Edge.Direct("b", "c")],
            [.. Log, new LastValueChannel("plain")]
        );

        await engine.RunAsync(graph, ("log", Update("in")));

        // Updates cannot be stored before the first checkpoint. Afterwards they are published as they are stored.
        Assert.Equal(
            ["log True", "plain False", "log False", ""],
            engine
                .Events.Of<RunEvent.StateUpdated>()
                .Select(update => string.Join(' ', update.Changes.Select(change => $"{change.Channel} {change.IsWhole}")))
        );
    }

    [Fact]
    public async Task Events_contain_the_changes_of_each_superstep_and_the_last_event_contains_the_state()
    {
        var engine = new Engine();
        var graph = new Graph("g", [Logs("a"), Logs("b")], [new Edge.Direct(Start, "a"), new Edge.Direct("a", "b")], Log);

        await engine.RunAsync(graph, ("log", Update("in")));

        var updates = engine.Events.Of<RunEvent.StateUpdated>().ToList();
        Assert.Equal(["""["in"]""", """["a"]""", """["in","a","b"]"""], updates.Select(it => Text(Assert.Single(it.Channels).Json[0])));
        Assert.Equal([false, false, true], updates.Select(it => it.IsFinal));
        Assert.IsType<RunEvent.Ended>(engine.Events.All[^1].Event);
        Assert.Equal(Enumerable.Range(1, engine.Events.All.Count).Select(i => (long)i), engine.Events.All.Select(it => it.Sequence));
    }

    [Fact]
    public async Task The_end_of_the_run_is_in_the_commit_of_its_last_superstep()
    {
        var engine = new Engine();

        await engine.RunAsync(new Graph("g", [Logs("a")], [new Edge.Direct(Start, "a")], Log), ("log", Update("in")));

        var run = await engine.Store.FindAsync("t", TestContext.Current.CancellationToken);
        Assert.Equal(RunStatus.Completed, run!.Status);
        Assert.Equal(1, run.Usage.Supersteps);
        Assert.Equal(engine.Events.All[^1].Sequence, run.LastSequence);
    }

    private static string Text(ReadOnlyMemory<byte> json) => System.Text.Encoding.UTF8.GetString(json.Span);
}
