using AgentExecutor.Core;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelLimits;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using static AgentExecutor.Tests.ModelCalls.TestAnswer;
using static AgentExecutor.Tests.ModelCalls.TestCalls;

namespace AgentExecutor.Tests.ModelCalls;

/// <summary>Calls that wait for the circuit breaker or for limits of their server.</summary>
public sealed class ModelCallWaitTests
{
    /// <summary>Skips the delays between attempts, but not the waits for a model.</summary>
    private readonly FakeTime _time = new() { SkipsUpTo = TimeSpan.FromSeconds(50) };

    [Fact]
    public async Task An_open_circuit_breaker_leads_to_the_fallback_at_once()
    {
        var engine = Engine(calls: new ModelCallSettings { BreakerFailures = 4 });
        TestProvider server = TestServer(Fault(FaultCodes.ModelUnavailable)),
            other = new("other", ("b", [Text("from b")]));
        var agent = TestProvider.Agent("test:a", "other:b");
        await AskAsync(engine, [server, other], agent);
        Assert.Equal((4, 3), (server.Calls.Count, _time.Skipped.Count));

        Assert.Equal("from b", (await AskAsync(engine, [server, other], agent)).Text);

        Assert.Equal((4, 3), (server.Calls.Count, _time.Skipped.Count));
    }

    [Fact]
    public async Task Without_a_fallback_the_call_waits_for_the_circuit_breaker()
    {
        var time = new FakeTime();
        var engine = Engine(time, new ModelCallSettings { BreakerFailures = 1, BreakerSeconds = 15 });
        var activity = new List<bool>();
        using var session = engine.Session(activity: new RunActivity(activity.Add));
        var asking = AskAsync(
            session,
            [TestServer(Fault(FaultCodes.ModelUnavailable), Fault(FaultCodes.ModelUnavailable), Text("back"))],
            TestProvider.Agent("test:a")
        );

        await time.PassAsync(TimeSpan.FromSeconds(0.25));
        await time.PassAsync(TimeSpan.FromSeconds(14.75)); // a call probes the server and fails
        await time.PassAsync(TimeSpan.FromSeconds(0.5));
        await time.PassAsync(TimeSpan.FromSeconds(14.5));

        Assert.Equal("back", (await asking).Text);
        Assert.Equal([true, false, true, false, true, false, true, false], activity);
    }

    [Fact]
    public async Task Calls_above_the_concurrency_limit_wait_in_order_without_a_slot()
    {
        var engine = Engine(calls: new ModelCallSettings { MaxConcurrentCalls = 1 });
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var server = TestServer(When(release.Task, "first"), Text("then"));
        var waits = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var one = engine.Session("one");
        using var two = engine.Session("two", new RunActivity(begins => _ = begins && waits.TrySetResult()));
        var graph = Graph([server], TestProvider.Agent("test:a"));
        var first = RunAsync(graph, one);
        await Eventually.True(() => Task.FromResult(server.Calls.Count == 1));

        var second = RunAsync(graph, two);
        await waits.Task.WaitAsync(Eventually.Limit, TestContext.Current.CancellationToken);
        Assert.Single(server.Calls);
        release.SetResult();

        Assert.Equal(["first", "then"], [(await first).Text, (await second).Text]);
    }

    [Fact]
    public async Task The_token_rate_limit_uses_estimates_and_then_the_actual_usage()
    {
        var engine = Engine(calls: new ModelCallSettings { TokensPerMinute = 6_000 });
        var server = TestServer(Text("x", new TokenUsage(5_900, 100)));
        await AskAsync(engine, server);

        await AskAsync(engine, server);

        var waited = Assert.Single(_time.Skipped);
        Assert.InRange(waited, 10, 49); // for about 1,000 tokens of the answer, the prompt and the tools
    }

    [Fact]
    public async Task A_run_that_is_asked_to_stop_ends_its_wait()
    {
        using var stopping = new CancellationTokenSource();
        var engine = Engine(new FakeTime());
        var waits = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var session = engine.Session(
            activity: new RunActivity(begins => _ = begins && waits.TrySetResult()),
            stopping: stopping.Token
        );
        var asking = AskAsync(session, [TestServer(Fault(FaultCodes.ModelRateLimited, retryAfter: 290))], TestProvider.Agent("test:a"));
        await waits.Task.WaitAsync(Eventually.Limit, TestContext.Current.CancellationToken);

        await stopping.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
    }

    [Fact]
    public async Task A_run_waits_only_if_all_of_its_parallel_tasks_wait()
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var server = new TestProvider(
            "test",
            ("lead", [Text("unused")]),
            ("busy", [When(release.Task, "busy is done")]),
            ("late", [Fault(FaultCodes.ModelUnavailable), Text("late is done")])
        );
        var time = new FakeTime();
        var engine = Engine(time);
        var changes = new List<bool>();
        using var session = engine.Session(activity: new RunActivity(changes.Add));
        var graph = new Core.Graphs.Graph(
            "both",
            [
                .. new[] { "busy", "late" }.Select(name => new Core.Graphs.Node(
                    name,
                    new DelegateNode(
                        async (context, cancel) =>
                            await context.RunSubgraphAsync(
                                Graph([server], TestProvider.Agent($"test:{name}")),
                                [new(AgentState.Messages, MessageUpdate.Append(Message.Human($"h-{name}", "go")))],
                                cancel
                            )
                    )
                )),
            ],
            [new Core.Graphs.Edge.Direct(Core.Graphs.Graph.Start, "busy"), new Core.Graphs.Edge.Direct(Core.Graphs.Graph.Start, "late")],
            AgentState.Channels
        );

        var running = Tests.Engine.RunAsync(graph, session, new GraphInput.Begin([]));
        await time.PassAsync(TimeSpan.FromSeconds(0.25));
        await Eventually.True(() => Task.FromResult(server.Calls.Count == 3));
        Assert.Empty(changes);
        release.SetResult();
        await running.WaitAsync(Eventually.Limit, TestContext.Current.CancellationToken);

        Assert.Empty(changes);
    }

    private Engine Engine(FakeTime? time = null, ModelCallSettings? calls = null, RunLimits? limits = null) =>
        new()
        {
            Time = time ?? _time,
            Calls = calls ?? new ModelCallSettings(),
            Limits = limits ?? new RunLimits(),
        };
}
