using AgentExecutor.Core;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using static AgentExecutor.Tests.Engine;

namespace AgentExecutor.Tests.Execution;

public sealed class GraphRunnerTests
{
    private static readonly string Start = Graph.Start;

    [Fact]
    public async Task Nodes_run_in_order_with_a_checkpoint_after_each_superstep()
    {
        var engine = new Engine();
        var graph = new Graph("g", [Logs("a"), Logs("b")], [new Edge.Direct(Start, "a"), new Edge.Direct("a", "b")], Log);

        var outcome = await engine.RunAsync(graph, ("log", Update("in")));

        Assert.Equal("in a b", LogOf(outcome));
        Assert.Equal(
            [(1, "Loop", ""), (0, "Loop", "b"), (-1, "Input", "a")],
            (await engine.HistoryAsync()).Select(it =>
                (it.Step, it.Source.ToString(), string.Join(',', DueTask.Decode(it.Due).Select(task => task.Node)))
            )
        );
    }

    [Fact]
    public async Task Parallel_tasks_see_the_state_before_the_superstep_and_merge_in_task_order()
    {
        var engine = new Engine();
        var slow = new Node(
            "slow",
            new DelegateNode(
                async (context, cancellationToken) =>
                {
                    await Task.Delay(50, cancellationToken);
                    context.WriteJson("log", JsonBytes.Text($"slow saw {LogOf(context.State.State).Count()}"));
                }
            )
        );
        var fast = Node("fast", context => context.WriteJson("log", JsonBytes.Text($"fast saw {LogOf(context.State.State).Count()}")));
        var graph = new Graph("g", [slow, fast], [new Edge.Direct(Start, "slow"), new Edge.Direct(Start, "fast")], Log);

        var outcome = await engine.RunAsync(graph, ("log", Update("in")));

        Assert.Equal("in slow saw 1 fast saw 1", LogOf(outcome));
    }

    [Fact]
    public async Task A_fan_out_runs_one_task_per_item_and_keeps_their_order()
    {
        var engine = new Engine();
        var work = new Node(
            "work",
            new DelegateNode(
                async (context, cancellationToken) =>
                {
                    var item = context.Argument.GetInt64();
                    await Task.Delay((int)(20 - item), cancellationToken);
                    context.WriteJson("log", JsonBytes.Text($"{item * item}"));
                }
            )
        );
        var items = Enumerable.Range(0, 20).Select(i => JsonBytes.Number(i)).ToArray();
        var graph = new Graph(
            "g",
            [work, Logs("end")],
            [new Edge.FanOut(Start, "work", _ => items, "items"), new Edge.Direct("work", "end")],
            Log
        );

        var outcome = await engine.RunAsync(graph, ("log", Update("in")));

        Assert.Equal($"in {string.Join(' ', Enumerable.Range(0, 20).Select(i => i * i))} end", LogOf(outcome));
    }

    [Fact]
    public async Task Two_writes_to_a_last_value_channel_in_one_superstep_are_a_fault()
    {
        var graph = new Graph(
            "g",
            [Node("a", it => it.WriteJson("x", JsonBytes.Text("1"))), Node("b", it => it.WriteJson("x", JsonBytes.Text("2")))],
            [new Edge.Direct(Start, "a"), new Edge.Direct(Start, "b")],
            [new LastValueChannel("x")]
        );

        var fault = await Assert.ThrowsAsync<FaultException>(() => new Engine().RunAsync(graph, ("x", Engine.Json("0"))));

        Assert.Equal(FaultCodes.ConcurrentUpdate, fault.Code);
        Assert.Contains("'x'", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_worker_that_has_lost_its_lease_stops_and_changes_nothing()
    {
        var engine = new Engine();
        var graph = new Graph(
            "g",
            [
                new Node(
                    "a",
                    new DelegateNode(
                        async (context, cancellationToken) =>
                        {
                            context.WriteJson("log", JsonBytes.Text("a"));
                            using var thief = engine.Session();
                            await thief.CommitAsync((run, _) => new RunChange(run, []), cancellationToken);
                        }
                    )
                ),
            ],
            [new Edge.Direct(Start, "a")],
            Log
        );

        var fault = await Assert.ThrowsAsync<FaultException>(() => engine.RunAsync(graph, ("log", Update("in"))));

        Assert.Equal(FaultCodes.LeaseLost, fault.Code);
        Assert.Single(await engine.HistoryAsync());
    }

    [Fact]
    public async Task New_input_continues_from_the_state_of_the_thread_and_abandons_waiting_tasks()
    {
        var engine = new Engine();
        var graph = new Graph(
            "g",
            [
                Node(
                    "ask",
                    context =>
                    {
                        if (LogOf(context.State.State).Last() == "first")
                        {
                            context.Interrupt(JsonBytes.Text("?"));
                        }
                        context.WriteJson("log", JsonBytes.Text("ran"));
                    }
                ),
                Logs("sibling"),
            ],
            [new Edge.Direct(Start, "ask"), new Edge.Direct(Start, "sibling")],
            Log
        );

        var waits = await engine.RunAsync(graph, ("log", Update("first")));
        Assert.NotEmpty(waits.Interrupts);
        var done = await engine.RunAsync(graph, ("log", Update("second")));

        Assert.Equal("first second ran sibling", LogOf(done));
        var loaded = await engine.Store.LoadAsync("t", "", null, TestContext.Current.CancellationToken);
        Assert.Equal("first second ran sibling", string.Join(' ', LogOf(CheckpointReader.Read(loaded!, graph.Channels).State)));
    }

    [Fact]
    public async Task State_can_be_edited_as_if_a_node_had_written_it()
    {
        var engine = new Engine();
        var graph = new Graph(
            "g",
            [Logs("a"), Logs("b"), Logs("c")],
            [new Edge.Direct(Start, "a"), new Edge.Direct("a", "b"), new Edge.Direct("b", "c")],
            Log
        );
        await engine.RunAsync(graph, ("log", Update("in")));
        using (var session = engine.Session())
        {
            await Engine.RunAsync(graph, session, new GraphInput.Edit([new("log", Update("edited"))], "a", CheckpointSource.Update));
        }

        Assert.Equal("in a b c edited b c", LogOf(await engine.ResumeAsync(graph)));
        Assert.Contains(await engine.HistoryAsync(), it => it.Source == CheckpointSource.Update);
    }

    [Fact]
    public async Task A_topic_lasts_one_superstep()
    {
        var engine = new Engine();
        Node Sees(string name) =>
            Node(name, context => context.WriteJson("log", JsonBytes.Text(JsonBytes.Display(context.State.Json("news")))));
        var graph = new Graph(
            "g",
            [Node("say", context => context.WriteJson("news", JsonBytes.Text("hello"))), Sees("one"), Sees("two")],
            [new Edge.Direct(Start, "say"), new Edge.Direct("say", "one"), new Edge.Direct("one", "two")],
            [.. Log, new TopicChannel("news")]
        );

        Assert.Equal("""in ["hello"] []""", LogOf(await engine.RunAsync(graph, ("log", Update("in")))));
    }

    [Fact]
    public async Task A_topic_that_was_emptied_keeps_its_version_across_a_reload()
    {
        var engine = new Engine();
        Node Says(string name, string? news) =>
            Node(
                name,
                context =>
                {
                    if (news is not null)
                    {
                        context.WriteJson("news", JsonBytes.Text(news));
                    }
                }
            );
        var graph = new Graph(
            "g",
            [Says("a", "OLD"), Says("b", null), Node("wait", context => context.Interrupt(JsonBytes.Text("?"))), Says("c", "NEW")],
            [new Edge.Direct(Start, "a"), new Edge.Direct("a", "b"), new Edge.Direct("b", "wait"), new Edge.Direct("wait", "c")],
            [.. Log, new TopicChannel("news")]
        );

        var waits = await engine.RunAsync(graph, ("log", Update("in")));
        await engine.ResumeAsync(graph, (Assert.Single(waits.Interrupts).Id, "go"));

        var history = await engine.HistoryAsync();
        async Task<string> NewsAt(int step) =>
            JsonBytes.Display(
                new StateView(
                    CheckpointReader
                        .Read(
                            (
                                await engine.Store.LoadAsync(
                                    "t",
                                    "",
                                    history.Single(it => it.Step == step).Id,
                                    TestContext.Current.CancellationToken
                                )
                            )!,
                            graph.Channels
                        )
                        .State
                ).Json("news")
            );
        Assert.Equal(["[\"OLD\"]", "[]", "[\"NEW\"]"], [await NewsAt(0), await NewsAt(1), await NewsAt(3)]);
    }

    [Fact]
    public async Task A_fork_has_different_task_ids()
    {
        var engine = new Engine();
        var ids = new List<string>();
        var graph = new Graph("g", [Node("a", context => ids.Add(context.TaskId))], [new Edge.Direct(Start, "a")], Log);
        await engine.RunAsync(graph, ("log", Update("in")));
        await engine.Store.CopyThreadAsync("t", (await engine.HistoryAsync())[^1].Id, "fork", TestContext.Current.CancellationToken);

        using var session = engine.Session("fork");
        await Engine.RunAsync(graph, session, GraphInput.Continue.Instance);

        Assert.Equal(2, ids.Distinct().Count());
    }

    [Fact]
    public async Task A_thread_with_many_snapshots_is_rebuilt_completely()
    {
        var engine = new Engine { Limits = RunLimits.None };
        var graph = new Graph(
            "g",
            [Logs("a"), Node("once", context => context.WriteJson("rare", JsonBytes.Text("x")))],
            [
                new Edge.Direct(Start, "once"),
                new Edge.Direct("once", "a"),
                new Edge.When("a", "a", state => LogOf(state.State).Count() < 2_500, ""),
                new Edge.Otherwise("a", Graph.End),
            ],
            [.. Log, new AppendChannel("rare")]
        );

        await engine.RunAsync(graph, ("log", Update("in")));

        var loaded = (await engine.Store.LoadAsync("t", "", null, TestContext.Current.CancellationToken))!;
        Assert.Equal(2_500, LogOf(CheckpointReader.Read(loaded, graph.Channels).State).Count());
        Assert.All(
            loaded.Deltas,
            delta => Assert.True(delta.Updates.Length < 1_500, $"{delta.Channel} is rebuilt from {delta.Updates.Length} updates")
        );
        Assert.True(await engine.Store.PruneAsync("t", 1, TestContext.Current.CancellationToken) > 1_000);
    }

    private static string Text(ReadOnlyMemory<byte> json) => System.Text.Encoding.UTF8.GetString(json.Span);
}
