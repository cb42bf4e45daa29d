using System.Collections.Concurrent;
using AgentExecutor.Core;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using static AgentExecutor.Tests.Engine;

namespace AgentExecutor.Tests.Execution;

/// <summary>Supersteps that fail, are retried, exceed a limit, or are asked to stop.</summary>
public sealed class SuperStepTests
{
    private static readonly string Start = Graph.Start;

    [Fact]
    public async Task A_run_that_is_asked_to_stop_starts_no_more_tasks_and_the_next_worker_runs_them()
    {
        using var stopping = new CancellationTokenSource();
        var engine = new Engine { Limits = new RunLimits { MaxParallelTasks = 1 } };
        var first = new Node(
            "first",
            new DelegateNode(
                async (context, _) =>
                {
                    context.WriteJson("log", JsonBytes.Text("first"));
                    await stopping.CancelAsync();
                }
            )
        );
        var begun = new ConcurrentQueue<string>();
        Node Second(string name) =>
            Node(
                name,
                context =>
                {
                    begun.Enqueue(name);
                    context.WriteJson("log", JsonBytes.Text(name));
                }
            );
        var graph = new Graph(
            "g",
            [first, Second("second"), Second("third")],
            [.. new[] { "first", "second", "third" }.Select(it => new Edge.Direct(Start, it))],
            Log
        );
        using var session = engine.Session(stopping: stopping.Token);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(graph, session, new GraphInput.Begin([])));

        Assert.Empty(begun);
        Assert.Equal("first second third", LogOf(await engine.ResumeAsync(graph)));
    }

    [Fact]
    public async Task The_number_of_parallel_tasks_is_limited()
    {
        var (running, most) = (0, 0);
        var engine = new Engine { Limits = new RunLimits { MaxParallelTasks = 3 } };
        var work = new Node(
            "work",
            new DelegateNode(
                async (_, cancellationToken) =>
                {
                    most = Math.Max(most, Interlocked.Increment(ref running));
                    await Task.Delay(5, cancellationToken);
                    Interlocked.Decrement(ref running);
                }
            )
        );
        var items = Enumerable.Range(0, 12).Select(i => JsonBytes.Number(i)).ToArray();

        await engine.RunAsync(new Graph("g", [work], [new Edge.FanOut(Start, "work", _ => items, "")], Log), ("log", Update("in")));

        Assert.Equal(3, most);
    }

    [Fact]
    public async Task A_retry_of_a_failed_superstep_runs_only_its_unfinished_tasks()
    {
        var engine = new Engine();
        var calls = new ConcurrentDictionary<string, int>();
        var fails = true;
        var finished = new TaskCompletionSource();
        Node Counted(string name) =>
            Node(
                name,
                context =>
                {
                    calls.AddOrUpdate(name, 1, (_, count) => count + 1);
                    context.WriteJson("log", JsonBytes.Text(name));
                }
            );
        var bad = new Node(
            "bad",
            new DelegateNode(
                async (context, _) =>
                {
                    calls.AddOrUpdate("bad", 1, (_, count) => count + 1);
                    await finished.Task; // the other tasks have finished and are stored
                    if (fails)
                    {
                        throw new InvalidOperationException("boom");
                    }
                    context.WriteJson("log", JsonBytes.Text("bad"));
                }
            )
        );
        var graph = new Graph(
            "g",
            [Counted("a"), bad, Counted("c")],
            [new Edge.Direct(Start, "a"), new Edge.Direct(Start, "bad"), new Edge.Direct(Start, "c")],
            Log
        );
        var running = engine.RunAsync(graph, ("log", Update("in")));
        await Eventually.True(async () =>
            (await engine.Store.LoadAsync("t", "", null, TestContext.Current.CancellationToken)) is { Pending.Length: > 0 }
        );
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
    public async Task A_transient_failure_is_retried_and_does_not_change_the_state()
    {
        var attempts = 0;
        var flaky = Node(
            "flaky",
            context =>
            {
                context.WriteJson("log", JsonBytes.Text($"attempt {++attempts}"));
                if (attempts < 3)
                {
                    throw new FaultException("x", "not yet") { IsTransient = true };
                }
            }
        ) with
        {
            Retry = new RetryPolicy(3, TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(2)),
        };

        var outcome = await new Engine().RunAsync(new Graph("g", [flaky], [new Edge.Direct(Start, "flaky")], Log), ("log", Update("in")));

        Assert.Equal("in attempt 3", LogOf(outcome));
    }

    [Fact]
    public async Task A_node_that_exceeds_its_timeout_fails()
    {
        var stuck = new Node(
            "stuck",
            new DelegateNode(async (_, cancellationToken) => await Task.Delay(Timeout.Infinite, cancellationToken))
        )
        {
            Timeout = TimeSpan.FromMilliseconds(20),
        };

        var fault = await Assert.ThrowsAsync<FaultException>(() =>
            new Engine().RunAsync(new Graph("g", [stuck], [new Edge.Direct(Start, "stuck")], Log), ("log", Update("in")))
        );

        Assert.Equal(FaultCodes.NodeTimeout, fault.Code);
    }

    [Fact]
    public async Task Exceeding_the_superstep_limit_ends_a_loop()
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
        var graph = new Graph(
            "g",
            [
                new Node(
                    "call",
                    new DelegateNode(
                        async (_, cancellationToken) =>
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
                        }
                    )
                ),
            ],
            [new Edge.Direct(Start, "call")],
            Log
        );
        using var session = engine.Session();
        var running = new GraphRunner(graph, GraphScope.Root(session))
            .RunAsync(new GraphInput.Begin([new("log", Update("in"))]), cancel.Token)
            .AsTask();
        await started.Task;

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.True(cancelled);
    }

    [Fact]
    public async Task A_run_that_is_asked_to_stop_finishes_its_superstep_and_can_be_continued()
    {
        var engine = new Engine();
        using var stop = new CancellationTokenSource();
        var graph = new Graph(
            "g",
            [
                Node(
                    "a",
                    context =>
                    {
                        stop.Cancel();
                        context.WriteJson("log", JsonBytes.Text("a"));
                    }
                ),
                Logs("b"),
            ],
            [new Edge.Direct(Start, "a"), new Edge.Direct("a", "b")],
            Log
        );
        using (var session = engine.Session(stopping: stop.Token))
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
                Engine.RunAsync(graph, session, new GraphInput.Begin([new("log", Update("in"))]))
            );
        }

        Assert.Equal(2, (await engine.HistoryAsync()).Count);
        Assert.Equal("in a b", LogOf(await engine.ResumeAsync(graph)));
    }

    [Fact]
    public async Task The_results_of_tasks_are_kept_if_an_edge_fails_and_a_retry_does_not_repeat_them()
    {
        var engine = new Engine();
        var (calls, fails) = (0, true);
        var graph = new Graph(
            "g",
            [Node("call", context => context.WriteJson("log", JsonBytes.Text($"call {++calls}"))), Logs("next")],
            [
                new Edge.Direct(Start, "call"),
                new Edge.When("call", "next", _ => fails ? throw new FaultException(FaultCodes.ExpressionFailed, "no") : true, ""),
            ],
            Log
        );

        await Assert.ThrowsAsync<FaultException>(() => engine.RunAsync(graph, ("log", Update("in"))));
        fails = false;

        Assert.Equal("in call 1 next", LogOf(await engine.ResumeAsync(graph)));
    }
}
