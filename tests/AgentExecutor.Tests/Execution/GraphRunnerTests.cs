using System.Collections.Concurrent;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
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
        Assert.Equal([(1, "Loop", ""), (0, "Loop", "b"), (-1, "Input", "a")], (await engine.HistoryAsync()).Select(it =>
            (it.Step, it.Source.ToString(), string.Join(',', DueTask.Decode(it.Due).Select(task => task.Node)))));
    }

    [Fact]
    public async Task Parallel_tasks_see_the_state_before_the_superstep_and_merge_in_task_order()
    {
        var engine = new Engine();
        var slow = new Node("slow", new DelegateNode(async (context, cancellationToken) =>
        {
            await Task.Delay(50, cancellationToken);
            context.WriteJson("log", JsonBytes.Text($"slow saw {LogOf(context.State.State).Count()}"));
        }));
        var fast = Node("fast", context => context.WriteJson("log", JsonBytes.Text($"fast saw {LogOf(context.State.State).Count()}")));
        var graph = new Graph("g", [slow, fast], [new Edge.Direct(Start, "slow"), new Edge.Direct(Start, "fast")], Log);

        var outcome = await engine.RunAsync(graph, ("log", Update("in")));

        Assert.Equal("in slow saw 1 fast saw 1", LogOf(outcome));
    }

    [Fact]
    public async Task A_run_that_is_asked_to_stop_begins_no_more_tasks_and_leaves_them_to_the_next()
    {
        using var stopping = new CancellationTokenSource();
        var engine = new Engine { Limits = new RunLimits { MaxParallelTasks = 1 } };
        var first = new Node("first", new DelegateNode(async (context, _) =>
        {
            context.WriteJson("log", JsonBytes.Text("first"));
            await stopping.CancelAsync();
        }));
        var begun = new ConcurrentQueue<string>();
        Node Second(string name) => Node(name, context =>
        {
            begun.Enqueue(name);
            context.WriteJson("log", JsonBytes.Text(name));
        });
        var graph = new Graph("g", [first, Second("second"), Second("third")], [.. new[] { "first", "second", "third" }.Select(it => new Edge.Direct(Start, it))], Log);
        using var session = engine.Session(stopping: stopping.Token);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(graph, session, new GraphInput.Begin([])));

        Assert.Empty(begun);
        Assert.Equal("first second third", LogOf(await engine.ResumeAsync(graph)));
    }

    [Fact]
    public async Task A_fan_out_gives_each_task_its_item_and_keeps_their_order()
    {
        var engine = new Engine();
        var work = new Node("work", new DelegateNode(async (context, cancellationToken) =>
        {
            var item = context.Argument.GetInt64();
            await Task.Delay((int)(20 - item), cancellationToken);
            context.WriteJson("log", JsonBytes.Text($"{item * item}"));
        }));
        var items = Enumerable.Range(0, 20).Select(i => JsonBytes.Number(i)).ToArray();
        var graph = new Graph("g", [work, Logs("end")], [new Edge.FanOut(Start, "work", _ => items, "items"), new Edge.Direct("work", "end")], Log);

        var outcome = await engine.RunAsync(graph, ("log", Update("in")));

        Assert.Equal($"in {string.Join(' ', Enumerable.Range(0, 20).Select(i => i * i))} end", LogOf(outcome));
    }

    [Fact]
    public async Task No_more_tasks_run_at_once_than_allowed()
    {
        var (running, most) = (0, 0);
        var engine = new Engine { Limits = new RunLimits { MaxParallelTasks = 3 } };
        var work = new Node("work", new DelegateNode(async (_, cancellationToken) =>
        {
            most = Math.Max(most, Interlocked.Increment(ref running));
            await Task.Delay(5, cancellationToken);
            Interlocked.Decrement(ref running);
        }));
        var items = Enumerable.Range(0, 12).Select(i => JsonBytes.Number(i)).ToArray();

        await engine.RunAsync(new Graph("g", [work], [new Edge.FanOut(Start, "work", _ => items, "")], Log), ("log", Update("in")));

        Assert.Equal(3, most);
    }

    [Fact]
    public async Task Two_writes_of_a_last_value_in_one_superstep_are_a_fault()
    {
        var graph = new Graph(
            "g", [Node("a", it => it.WriteJson("x", JsonBytes.Text("1"))), Node("b", it => it.WriteJson("x", JsonBytes.Text("2")))],
            [new Edge.Direct(Start, "a"), new Edge.Direct(Start, "b")], [new LastValueChannel("x")]);

        var fault = await Assert.ThrowsAsync<FaultException>(() => new Engine().RunAsync(graph, ("x", Json("0"))));

        Assert.Equal(FaultCodes.ConcurrentUpdate, fault.Code);
        Assert.Contains("'x'", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failed_superstep_runs_only_its_unfinished_tasks_again()
    {
        var engine = new Engine();
        var calls = new ConcurrentDictionary<string, int>();
        var fails = true;
        var finished = new TaskCompletionSource();
        Node Counted(string name) => Node(name, context =>
        {
            calls.AddOrUpdate(name, 1, (_, count) => count + 1);
            context.WriteJson("log", JsonBytes.Text(name));
        });
        var bad = new Node("bad", new DelegateNode(async (context, _) =>
        {
            calls.AddOrUpdate("bad", 1, (_, count) => count + 1);
            await finished.Task; // the others are finished and stored
            if (fails)
            {
                throw new InvalidOperationException("boom");
            }
            context.WriteJson("log", JsonBytes.Text("bad"));
        }));
        var graph = new Graph("g", [Counted("a"), bad, Counted("c")], [new Edge.Direct(Start, "a"), new Edge.Direct(Start, "bad"), new Edge.Direct(Start, "c")], Log);
        var running = engine.RunAsync(graph, ("log", Update("in")));
        await Eventually.True(async () => (await engine.Store.LoadAsync("t", "", null, TestContext.Current.CancellationToken)) is { Pending.Length: > 0 });
        finished.SetResult();

        var fault = await Assert.ThrowsAsync<FaultException>(() => running);
        Assert.Equal(FaultCodes.NodeFailed, fault.Code);
        Assert.Contains("boom", fault.Message, StringComparison.Ordinal);
        fails = false;
        var outcome = await engine.ResumeAsync(graph);

        Assert.Equal("in a bad c", LogOf(outcome));
        Assert.Equal((1, 2, 1), (calls["a"], calls["bad"], calls["c"]));
    }

    [Fact]
    public async Task A_transient_failure_is_retried_and_leaves_no_trace_in_the_state()
    {
        var attempts = 0;
        var flaky = Node("flaky", context =>
        {
            context.WriteJson("log", JsonBytes.Text($"attempt {++attempts}"));
            if (attempts < 3)
            {
                throw new FaultException("x", "not yet") { IsTransient = true };
            }
        }) with
        { Retry = new RetryPolicy(3, TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(2)) };

        var outcome = await new Engine().RunAsync(new Graph("g", [flaky], [new Edge.Direct(Start, "flaky")], Log), ("log", Update("in")));

        Assert.Equal("in attempt 3", LogOf(outcome));
    }

    [Fact]
    public async Task A_node_that_takes_too_long_fails_with_its_code()
    {
        var stuck = new Node("stuck", new DelegateNode(async (_, cancellationToken) => await Task.Delay(Timeout.Infinite, cancellationToken)))
        {
            Timeout = TimeSpan.FromMilliseconds(20),
        };

        var fault = await Assert.ThrowsAsync<FaultException>(() =>
            new Engine().RunAsync(new Graph("g", [stuck], [new Edge.Direct(Start, "stuck")], Log), ("log", Update("in"))));

        Assert.Equal(FaultCodes.NodeTimeout, fault.Code);
    }

    [Fact]
    public async Task The_superstep_limit_ends_a_loop()
    {
        var engine = new Engine { Limits = new RunLimits { MaxSupersteps = 7 } };
        var graph = new Graph("g", [Logs("a")], [new Edge.Direct(Start, "a"), new Edge.Direct("a", "a")], Log);

        var fault = await Assert.ThrowsAsync<FaultException>(() => engine.RunAsync(graph, ("log", Update("in"))));

        Assert.Equal(FaultCodes.SuperstepLimit, fault.Code);
        Assert.Equal(8, (await engine.HistoryAsync()).Count);
    }

    [Fact]
    public async Task Cancellation_reaches_the_call_in_flight()
    {
        var engine = new Engine();
        var started = new TaskCompletionSource();
        using var cancel = new CancellationTokenSource();
        var cancelled = false;
        var graph = new Graph("g", [new Node("call", new DelegateNode(async (_, cancellationToken) =>
        {
            started.SetResult();
            try
            {
                await Task.Delay(Timeout.Infinite, cancellationToken);
            }
            finally
            {
                cancelled = cancellationToken.IsCancellationRequested;
            }
        }))], [new Edge.Direct(Start, "call")], Log);
        using var session = engine.Session();
        var running = new GraphRunner(graph, GraphScope.Root(session)).RunAsync(new GraphInput.Begin([new("log", Update("in"))]), cancel.Token).AsTask();
        await started.Task;

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.True(cancelled);
    }

    [Fact]
    public async Task Asked_to_stop_a_run_ends_its_superstep_and_goes_on_later()
    {
        var engine = new Engine();
        using var stop = new CancellationTokenSource();
        var graph = new Graph("g", [Node("a", context =>
        {
            stop.Cancel();
            context.WriteJson("log", JsonBytes.Text("a"));
        }), Logs("b")], [new Edge.Direct(Start, "a"), new Edge.Direct("a", "b")], Log);
        using (var session = engine.Session(stopping: stop.Token))
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Engine.RunAsync(graph, session, new GraphInput.Begin([new("log", Update("in"))])));
        }

        Assert.Equal(2, (await engine.HistoryAsync()).Count);
        Assert.Equal("in a b", LogOf(await engine.ResumeAsync(graph)));
    }

    [Fact]
    public async Task A_worker_that_lost_its_lease_stops_and_changes_nothing()
    {
        var engine = new Engine();
        var graph = new Graph("g", [new Node("a", new DelegateNode(async (context, cancellationToken) =>
        {
            context.WriteJson("log", JsonBytes.Text("a"));
            using var thief = engine.Session();
            await thief.CommitAsync((run, _) => new RunChange(run, []), cancellationToken);
        }))], [new Edge.Direct(Start, "a")], Log);

        var fault = await Assert.ThrowsAsync<FaultException>(() => engine.RunAsync(graph, ("log", Update("in"))));

        Assert.Equal(FaultCodes.LeaseLost, fault.Code);
        Assert.Single(await engine.HistoryAsync());
    }

    [Fact]
    public async Task New_input_on_a_thread_goes_on_from_its_state_and_gives_up_what_waited()
    {
        var engine = new Engine();
        var graph = new Graph("g", [Node("ask", context =>
        {
            if (LogOf(context.State.State).Last() == "first")
            {
                context.Interrupt(JsonBytes.Text("?"));
            }
            context.WriteJson("log", JsonBytes.Text("ran"));
        }), Logs("sibling")], [new Edge.Direct(Start, "ask"), new Edge.Direct(Start, "sibling")], Log);

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
        var graph = new Graph("g", [Logs("a"), Logs("b"), Logs("c")], [new Edge.Direct(Start, "a"), new Edge.Direct("a", "b"), new Edge.Direct("b", "c")], Log);
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
        Node Sees(string name) => Node(name, context => context.WriteJson("log", JsonBytes.Text(JsonBytes.Display(context.State.Json("news")))));
        var graph = new Graph(
            "g", [Node("say", context => context.WriteJson("news", JsonBytes.Text("hello"))), Sees("one"), Sees("two")],
            [new Edge.Direct(Start, "say"), new Edge.Direct("say", "one"), new Edge.Direct("one", "two")], [.. Log, new TopicChannel("news")]);

        Assert.Equal("""in ["hello"] []""", LogOf(await engine.RunAsync(graph, ("log", Update("in")))));
    }

    [Fact]
    public async Task Events_say_which_delta_channels_are_told_whole()
    {
        var engine = new Engine();
        var graph = new Graph(
            "g", [Node("a", context => context.WriteJson("plain", JsonBytes.Text("1"))), Logs("b"), Logs("c")],
            [new Edge.Direct(Start, "a"), new Edge.Direct("a", "b"), new Edge.Direct("b", "c")], [.. Log, new LastValueChannel("plain")]);

        await engine.RunAsync(graph, ("log", Update("in")));

        // Before the first checkpoint there is no place for updates; afterwards they are told as they are stored.
        Assert.Equal(
            ["log True", "plain False", "log False", ""],
            engine.Events.Of<RunEvent.StateUpdated>().Select(told => string.Join(' ', told.Changes.Select(change => $"{change.Channel} {change.IsWhole}"))));
    }

    [Fact]
    public async Task Events_tell_what_each_superstep_changed_and_the_last_one_all()
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

    [Fact]
    public async Task What_tasks_did_is_kept_when_an_edge_fails_and_trying_again_repeats_none_of_it()
    {
        var engine = new Engine();
        var (calls, fails) = (0, true);
        var graph = new Graph(
            "g", [Node("call", context => context.WriteJson("log", JsonBytes.Text($"call {++calls}"))), Logs("next")],
            [new Edge.Direct(Start, "call"), new Edge.When("call", "next", _ => fails ? throw new FaultException(FaultCodes.ExpressionFailed, "no") : true, "")], Log);

        await Assert.ThrowsAsync<FaultException>(() => engine.RunAsync(graph, ("log", Update("in"))));
        fails = false;

        Assert.Equal("in call 1 next", LogOf(await engine.ResumeAsync(graph)));
    }

    [Fact]
    public async Task A_topic_that_was_emptied_keeps_its_place_across_a_reload()
    {
        var engine = new Engine();
        Node Says(string name, string? news) => Node(name, context =>
        {
            if (news is not null)
            {
                context.WriteJson("news", JsonBytes.Text(news));
            }
        });
        var graph = new Graph(
            "g", [Says("a", "OLD"), Says("b", null), Node("wait", context => context.Interrupt(JsonBytes.Text("?"))), Says("c", "NEW")],
            [new Edge.Direct(Start, "a"), new Edge.Direct("a", "b"), new Edge.Direct("b", "wait"), new Edge.Direct("wait", "c")], [.. Log, new TopicChannel("news")]);

        var waits = await engine.RunAsync(graph, ("log", Update("in")));
        await engine.ResumeAsync(graph, (Assert.Single(waits.Interrupts).Id, "go"));

        var history = await engine.HistoryAsync();
        async Task<string> NewsAt(int step) => JsonBytes.Display(new StateView(CheckpointReader.Read((await engine.Store.LoadAsync(
            "t", "", history.Single(it => it.Step == step).Id, TestContext.Current.CancellationToken))!, graph.Channels).State).Json("news"));
        Assert.Equal(["[\"OLD\"]", "[]", "[\"NEW\"]"], [await NewsAt(0), await NewsAt(1), await NewsAt(3)]);
    }

    [Fact]
    public async Task A_fork_has_task_ids_of_its_own()
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
    public async Task A_thread_longer_than_its_whole_values_are_apart_is_rebuilt_whole()
    {
        var engine = new Engine { Limits = RunLimits.None };
        var graph = new Graph(
            "g", [Logs("a"), Node("once", context => context.WriteJson("rare", JsonBytes.Text("x")))],
            [
                new Edge.Direct(Start, "once"), new Edge.Direct("once", "a"),
                new Edge.When("a", "a", state => LogOf(state.State).Count() < 2_500, ""), new Edge.Otherwise("a", Graph.End),
            ],
            [.. Log, new AppendChannel("rare")]);

        await engine.RunAsync(graph, ("log", Update("in")));

        var loaded = (await engine.Store.LoadAsync("t", "", null, TestContext.Current.CancellationToken))!;
        Assert.Equal(2_500, LogOf(CheckpointReader.Read(loaded, graph.Channels).State).Count());
        Assert.All(loaded.Deltas, delta => Assert.True(delta.Updates.Length < 1_500, $"{delta.Channel} is rebuilt from {delta.Updates.Length} updates"));
        Assert.True(await engine.Store.PruneAsync("t", 1, TestContext.Current.CancellationToken) > 1_000);
    }

    private static string Text(ReadOnlyMemory<byte> json) => System.Text.Encoding.UTF8.GetString(json.Span);
}
