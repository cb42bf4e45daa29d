using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelCalls;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Runs;
using Microsoft.Extensions.AI;
using static AgentExecutor.Tests.ModelCalls.TestAnswer;

namespace AgentExecutor.Tests.ModelCalls;

public sealed class ModelCallerTests
{
    /// <summary>Skips the waits between attempts, and none for a model.</summary>
    private readonly FakeTime _time = new() { SkipsUpTo = TimeSpan.FromSeconds(50) };

    [Theory]
    [InlineData(FaultCodes.ModelUnavailable)]
    [InlineData(FaultCodes.ModelTimeout)]
    [InlineData(FaultCodes.ModelRateLimited)]
    public async Task A_transient_failure_is_tried_again_and_nothing_is_said_twice(string code)
    {
        var engine = Engine();
        var server = Server(Fault(code, shown: "half an"), Fault(code), Text("half an answer"));

        var answer = await AskAsync(engine, server);

        Assert.Equal("half an answer", answer.Text);
        Assert.Equal([1, 2, 3], server.Calls.Select(it => it.Options.Attempt));
        Assert.Equal([0.25, 0.5], _time.Skipped);
        Assert.Equal("half an|X|half an answer", Shown(engine));
        Assert.Equal(["human: go", "ai: half an answer"], await LinesAsync(engine));
    }

    [Fact]
    public async Task Connections_that_break_and_clients_that_give_up_are_transient()
    {
        var server = Server(Throws(new HttpRequestException("refused")), Throws(new IOException("reset")), Throws(new TaskCanceledException("its own timeout")), Text("there"));

        Assert.Equal("there", (await AskAsync(Engine(), server)).Text);
    }

    [Fact]
    public async Task A_model_that_keeps_failing_fails_the_run_with_its_own_words()
    {
        var server = Server(Fault(FaultCodes.ModelUnavailable));

        var fault = await Assert.ThrowsAsync<FaultException>(() => AskAsync(Engine(), server));

        Assert.Equal((FaultCodes.ModelUnavailable, "told to fail with model_unavailable", 4), (fault.Code, fault.Message, server.Calls.Count));
    }

    [Fact]
    public async Task What_the_server_asks_for_is_waited()
    {
        await AskAsync(Engine(), Server(Fault(FaultCodes.ModelRateLimited, retryAfter: 42), Text("now")));

        Assert.Equal([42], _time.Skipped);
    }

    [Fact]
    public async Task A_wait_beyond_the_runs_time_fails_at_once_with_the_servers_fault()
    {
        var server = Server(Fault(FaultCodes.ModelRateLimited, retryAfter: 42));

        var fault = await Assert.ThrowsAsync<FaultException>(() => AskAsync(Engine(limits: new RunLimits { MaxSeconds = 40 }), server));

        Assert.Equal((FaultCodes.ModelRateLimited, 1), (fault.Code, server.Calls.Count));
        Assert.Empty(_time.Skipped);
    }

    [Fact]
    public async Task A_stall_is_told_superseded_and_tried_again()
    {
        var time = new FakeTime();
        var engine = Engine(time);
        var asking = AskAsync(engine, Server(Hang("I think"), Hang("so", isDeaf: true), Text("so it is")));

        await time.PassAsync(TimeSpan.FromSeconds(60));
        await time.PassAsync(TimeSpan.FromSeconds(0.25));
        await time.PassAsync(TimeSpan.FromSeconds(60));
        await time.PassAsync(TimeSpan.FromSeconds(0.5));

        Assert.Equal("so it is", (await asking).Text);
        Assert.Equal("I think|X|so|X|so it is", Shown(engine));
    }

    [Theory]
    [InlineData(FaultCodes.ModelAuthentication, false, 1)]
    [InlineData(FaultCodes.ModelNotFound, false, 1)]
    [InlineData(FaultCodes.ModelRateLimited, false, 1)] // the quota is used up
    [InlineData(FaultCodes.ModelUnavailable, true, 4)]
    [InlineData(FaultCodes.ModelTimeout, true, 4)]
    [InlineData(FaultCodes.ModelRateLimited, true, 10)]
    public async Task A_model_that_fails_for_good_is_stood_in_for_and_the_message_says_by_which(string code, bool isTransient, int attempts)
    {
        var engine = Engine();
        var server = Server(Fault(code, isTransient));
        var other = new TestProvider("other", ("b", [Text("from b", model: "b-2026-01-01")]));

        var answer = await AskAsync(engine, [server, other], TestProvider.Agent("test:a", "other:b"));

        Assert.Equal("from b", answer.Text);
        Assert.Equal(new AnsweringModel("other", "b-2026-01-01"), answer.Model);
        Assert.Equal((attempts, 1, 1), (server.Calls.Count, other.Calls.Count, other.Calls[0].Options.Attempt));
    }

    [Theory]
    [InlineData(FaultCodes.ModelInvalidRequest)]
    [InlineData(FaultCodes.ModelRefused)]
    public async Task A_request_that_is_itself_at_fault_is_not_shown_to_others(string code)
    {
        var other = new TestProvider("other", ("b", [Text("from b")]));

        var fault = await Assert.ThrowsAsync<FaultException>(() => AskAsync(Engine(), [Server(Fault(code, isTransient: false)), other], TestProvider.Agent("test:a", "other:b")));

        Assert.Equal((code, 0), (fault.Code, other.Calls.Count));
    }

    [Fact]
    public async Task A_refusal_goes_to_the_next_where_the_definition_says_so()
    {
        var spec = TestProvider.Agent("test:a", "other:b");
        var other = new TestProvider("other", ("b", [Text("gladly")]));

        var answer = await AskAsync(
            Engine(), [Server(Fault(FaultCodes.ModelRefused, isTransient: false)), other], spec with { Model = spec.Model with { FallbackOnRefusal = true } });

        Assert.Equal("gladly", answer.Text);
    }

    [Fact]
    public async Task Where_all_fail_each_is_named()
    {
        var other = new TestProvider("other", ("b", [Fault(FaultCodes.ModelUnavailable, retryAfter: 1_000)]));

        var fault = await Assert.ThrowsAsync<FaultException>(
            () => AskAsync(Engine(), [Server(Fault(FaultCodes.ModelAuthentication, isTransient: false)), other], TestProvider.Agent("test:a", "other:b")));

        Assert.Equal((FaultCodes.ModelUnavailable, true), (fault.Code, fault.IsTransient));
        Assert.Contains("(other:b; before it failed test:a: told to fail with model_authentication [model_authentication])", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_failed_attempt_reports_is_counted()
    {
        var engine = Engine();
        using var session = engine.Session();

        await AskAsync(session, [Server(Fault(FaultCodes.ModelUnavailable, usage: new TokenUsage(100, 7)), Text("x", new TokenUsage(100, 1)))], TestProvider.Agent("test:a"));

        Assert.Equal(new TokenUsage(200, 8), session.Usage.Current.Tokens);
    }

    [Fact]
    public async Task What_a_server_does_not_count_is_counted_by_a_guess()
    {
        var engine = Engine();
        using var session = engine.Session();

        await AskAsync(session, [Server(Text("twelve characters make three"))], TestProvider.Agent("test:a"));

        Assert.Equal((1, 7), (session.Usage.Current.ModelCalls, session.Usage.Current.Tokens.Output));
        Assert.True(session.Usage.Current.Tokens.Input > 100, "the system prompt alone is longer");
    }

    [Theory]
    [InlineData("half an answer", 5)]
    [InlineData("", 1)]
    public async Task What_a_failed_attempt_had_streamed_is_counted_by_a_guess(string shown, long output)
    {
        using var session = Engine().Session();

        await AskAsync(session, [Server(Fault(FaultCodes.ModelUnavailable, shown: shown), Text("x", new TokenUsage(100, 1)))], TestProvider.Agent("test:a"));

        Assert.Equal((1, output, shown.Length > 0), (session.Usage.Current.ModelCalls, session.Usage.Current.Tokens.Output, session.Usage.Current.Tokens.Input > 200));
    }

    [Fact]
    public async Task What_a_filter_stopped_is_counted_and_is_no_answer()
    {
        using var session = Engine().Session();

        await Assert.ThrowsAsync<FaultException>(() => AskAsync(session, [Server(Text("how to", finish: "content_filter"))], TestProvider.Agent("test:a")));

        Assert.Equal((0, 2), (session.Usage.Current.ModelCalls, session.Usage.Current.Tokens.Output));
    }

    [Fact]
    public async Task Counts_that_cannot_be_are_taken_for_the_nearest_that_can()
    {
        using var session = Engine(limits: new RunLimits { MaxTokens = 1_000_000_000 }).Session();
        var server = Server(
            Call("ls", usage: new TokenUsage(long.MaxValue, -7, long.MaxValue, 5, 9)),
            Text("x", new TokenUsage(100, 10, 60, 11, 60)));

        await AskAsync(session, [server], TestProvider.Agent("test:a"));

        Assert.Equal(new TokenUsage(10_000_100, 10, 10_000_060, 10, 40), session.Usage.Current.Tokens);
    }

    [Fact]
    public async Task A_request_that_was_refused_takes_none_of_the_tokens_a_minute()
    {
        var engine = Engine(calls: new ModelCallSettings { TokensPerMinute = 1_000 });
        var server = Server(Fault(FaultCodes.ModelInvalidRequest, isTransient: false));

        await Assert.ThrowsAsync<FaultException>(() => AskAsync(engine, server));
        await Assert.ThrowsAsync<FaultException>(() => AskAsync(engine, server));

        Assert.Equal(2, server.Calls.Count);
        Assert.Empty(_time.Skipped);
    }

    [Fact]
    public async Task A_long_pause_is_not_waited_for_where_another_model_can_be_asked()
    {
        var server = Server(Fault(FaultCodes.ModelRateLimited, retryAfter: 6));
        var other = new TestProvider("other", ("b", [Text("from b")]));

        Assert.Equal("from b", (await AskAsync(Engine(), [server, other], TestProvider.Agent("test:a", "other:b"))).Text);

        Assert.Single(server.Calls);
        Assert.Empty(_time.Skipped);
    }

    [Fact]
    public async Task A_limit_that_is_met_by_a_fallback_says_what_failed_before()
    {
        var server = Server(Fault(FaultCodes.ModelAuthentication, isTransient: false, usage: new TokenUsage(15_900, 0)));
        var other = new TestProvider("other", ("b", [Text("from b")]));

        var fault = await Assert.ThrowsAsync<FaultException>(
            () => AskAsync(Engine(limits: new RunLimits { MaxTokens = 16_000 }), [server, other], TestProvider.Agent("test:a", "other:b")));

        Assert.Equal((FaultCodes.TokenLimit, 0), (fault.Code, other.Calls.Count));
        Assert.Contains("before it failed test:a: told to fail with model_authentication", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_attempt_begins_once_the_runs_tokens_are_used_up()
    {
        var server = Server(Fault(FaultCodes.ModelUnavailable, usage: new TokenUsage(9_000, 0)));

        var fault = await Assert.ThrowsAsync<FaultException>(() => AskAsync(Engine(limits: new RunLimits { MaxTokens = 16_000 }), server));

        Assert.Equal((FaultCodes.TokenLimit, 2), (fault.Code, server.Calls.Count));
    }

    [Fact]
    public async Task Each_attempt_is_a_span_that_says_what_came_of_it()
    {
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == Telemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);

        var server = new TestProvider("test", ("spanned", [Fault(FaultCodes.ModelRateLimited), Text("yes", new TokenUsage(7, 3), model: "spanned-1")]));
        await AskAsync(Engine(), [server], TestProvider.Agent("test:spanned"));

        var told = spans.Where(span => Equals(span.GetTagItem("gen_ai.request.model"), "spanned")).ToList();
        Assert.Equal([FaultCodes.ModelRateLimited, null], told.Select(span => span.GetTagItem("error.type")));
        Assert.Equal(("spanned-1", 7L, 3L), (told[1].GetTagItem("gen_ai.response.model"), told[1].GetTagItem("gen_ai.usage.input_tokens"), told[1].GetTagItem("gen_ai.usage.output_tokens")));
        Assert.Equal(["stop"], (string[])told[1].GetTagItem("gen_ai.response.finish_reasons")!);
    }

    [Fact]
    public async Task Who_answered_is_stored_with_the_message()
    {
        var engine = Engine();
        await AskAsync(engine, Server(Text("yes", model: "a-1")));

        Assert.Equal(new AnsweringModel("test", "a-1"), (await MessagesAsync(engine))[1].Model);
    }

    [Fact]
    public async Task An_empty_answer_is_asked_for_once_more_and_then_taken()
    {
        var server = Server(Text(""));

        Assert.Equal("", (await AskAsync(Engine(), server)).Text);
        Assert.Equal(2, server.Calls.Count);
    }

    [Fact]
    public async Task An_answer_that_a_filter_stopped_is_a_refusal()
    {
        var engine = Engine();

        var fault = await Assert.ThrowsAsync<FaultException>(() => AskAsync(engine, Server(Text("how to", finish: "content_filter"))));

        Assert.Equal(FaultCodes.ModelRefused, fault.Code);
        Assert.Equal("how to|X|", Shown(engine));
    }

    [Fact]
    public async Task An_answer_that_was_cut_before_it_began_says_what_to_raise()
    {
        var fault = await Assert.ThrowsAsync<FaultException>(() => AskAsync(Engine(), Server(Text("", finish: "length"))));

        Assert.Equal(FaultCodes.InvalidOutput, fault.Code);
        Assert.Contains("max_tokens", fault.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_was_cut_keeps_why() => Assert.Equal("length", (await AskAsync(Engine(), Server(Text("it is", finish: "length")))).FinishReason);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_call_whose_arguments_were_cut_is_not_made(bool isMalformed)
    {
        var engine = Engine();
        var call = isMalformed
            ? new FunctionCallContent("c1", "ls") { RawRepresentation = """{"path": "/se""", Exception = new JsonException("cut") }
            : new FunctionCallContent("c1", "ls", new Dictionary<string, object?>());
        var server = Server(Call("ls", "length", call), Text("again, then"));

        await AskAsync(engine, server);

        Assert.Contains("the arguments of ls are no JSON object", (await LinesAsync(engine))[2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_fails_for_many_is_left_alone_and_a_fallback_asked_at_once()
    {
        var engine = Engine(calls: new ModelCallSettings { BreakerFailures = 4 });
        TestProvider server = Server(Fault(FaultCodes.ModelUnavailable)), other = new("other", ("b", [Text("from b")]));
        var agent = TestProvider.Agent("test:a", "other:b");
        await AskAsync(engine, [server, other], agent);
        Assert.Equal((4, 3), (server.Calls.Count, _time.Skipped.Count));

        Assert.Equal("from b", (await AskAsync(engine, [server, other], agent)).Text);

        Assert.Equal((4, 3), (server.Calls.Count, _time.Skipped.Count));
    }

    [Fact]
    public async Task Without_a_fallback_a_server_that_is_left_alone_is_waited_for()
    {
        var time = new FakeTime();
        var engine = Engine(time, new ModelCallSettings { BreakerFailures = 1, BreakerSeconds = 15 });
        var activity = new List<bool>();
        using var session = engine.Session(activity: new RunActivity(activity.Add));
        var asking = AskAsync(session, [Server(Fault(FaultCodes.ModelUnavailable), Fault(FaultCodes.ModelUnavailable), Text("back"))], TestProvider.Agent("test:a"));

        await time.PassAsync(TimeSpan.FromSeconds(0.25));
        await time.PassAsync(TimeSpan.FromSeconds(14.75)); // a call tries it, and fails
        await time.PassAsync(TimeSpan.FromSeconds(0.5));
        await time.PassAsync(TimeSpan.FromSeconds(14.5));

        Assert.Equal("back", (await asking).Text);
        Assert.Equal([true, false, true, false, true, false, true, false], activity);
    }

    [Fact]
    public async Task Calls_beyond_so_many_at_once_wait_in_order_without_a_slot()
    {
        var engine = Engine(calls: new ModelCallSettings { MaxConcurrentCalls = 1 });
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var server = Server(When(release.Task, "first"), Text("then"));
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
    public async Task So_many_tokens_a_minute_are_asked_of_a_server_by_estimate_and_then_by_what_was_used()
    {
        var engine = Engine(calls: new ModelCallSettings { TokensPerMinute = 6_000 });
        var server = Server(Text("x", new TokenUsage(5_900, 100)));
        await AskAsync(engine, server);

        await AskAsync(engine, server);

        var waited = Assert.Single(_time.Skipped);
        Assert.InRange(waited, 10, 49); // for about 1,000 of the answer, the prompt and the tools
    }

    [Fact]
    public async Task A_run_that_is_asked_to_stop_waits_no_longer()
    {
        using var stopping = new CancellationTokenSource();
        var engine = Engine(new FakeTime());
        var waits = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var session = engine.Session(activity: new RunActivity(begins => _ = begins && waits.TrySetResult()), stopping: stopping.Token);
        var asking = AskAsync(session, [Server(Fault(FaultCodes.ModelRateLimited, retryAfter: 290))], TestProvider.Agent("test:a"));
        await waits.Task.WaitAsync(Eventually.Limit, TestContext.Current.CancellationToken);

        await stopping.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
    }

    [Fact]
    public async Task A_run_waits_only_when_all_that_it_does_side_by_side_waits()
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var server = new TestProvider(
            "test",
            ("lead", [Text("unused")]), ("busy", [When(release.Task, "busy is done")]), ("late", [Fault(FaultCodes.ModelUnavailable), Text("late is done")]));
        var time = new FakeTime();
        var engine = Engine(time);
        var told = new List<bool>();
        using var session = engine.Session(activity: new RunActivity(told.Add));
        var graph = new Core.Graphs.Graph(
            "both",
            [.. new[] { "busy", "late" }.Select(name => new Core.Graphs.Node(name, new DelegateNode(async (context, cancel) => await context.RunSubgraphAsync(
                Graph([server], TestProvider.Agent($"test:{name}")), [new(AgentState.Messages, MessageUpdate.Append(Message.Human($"h-{name}", "go")))], cancel))))],
            [new Core.Graphs.Edge.Direct(Core.Graphs.Graph.Start, "busy"), new Core.Graphs.Edge.Direct(Core.Graphs.Graph.Start, "late")],
            AgentState.Channels);

        var running = Tests.Engine.RunAsync(graph, session, new GraphInput.Begin([]));
        await time.PassAsync(TimeSpan.FromSeconds(0.25));
        await Eventually.True(() => Task.FromResult(server.Calls.Count == 3));
        Assert.Empty(told);
        release.SetResult();
        await running.WaitAsync(Eventually.Limit, TestContext.Current.CancellationToken);

        Assert.Empty(told);
    }

    private Engine Engine(FakeTime? time = null, ModelCallSettings? calls = null, RunLimits? limits = null) => new()
    {
        Time = time ?? _time,
        Calls = calls ?? new ModelCallSettings(),
        Limits = limits ?? new RunLimits(),
    };

    private static TestProvider Server(params TestAnswer[] answers) => new("test", ("a", answers));

    private static Core.Graphs.Graph Graph(IEnumerable<IModelProvider> providers, AgentSpec spec) => AgentGraph.Build(spec, new ModelCatalog(providers), []);

    private static Task<Message> AskAsync(Engine engine, TestProvider server) => AskAsync(engine, [server], TestProvider.Agent("test:a"));

    private static async Task<Message> AskAsync(Engine engine, IEnumerable<IModelProvider> providers, AgentSpec spec)
    {
        using var session = engine.Session();
        return await AskAsync(session, providers, spec);
    }

    private static Task<Message> AskAsync(RunSession session, IEnumerable<IModelProvider> providers, AgentSpec spec) => RunAsync(Graph(providers, spec), session);

    private static async Task<Message> RunAsync(Core.Graphs.Graph graph, RunSession session)
    {
        var outcome = await Tests.Engine.RunAsync(
            graph, session, new GraphInput.Begin([new(AgentState.Messages, MessageUpdate.Append(Message.Human("h", "go")))])).WaitAsync(2 * Eventually.Limit);
        return outcome.State.Get<MessageLog>(AgentState.Messages)!.Last!;
    }

    private static async Task<List<string>> LinesAsync(Engine engine) => [.. (await MessagesAsync(engine)).Select(it => $"{MessageJson.NameOf(it.Type)}: {it.Text}")];

    /// <summary>As they are stored.</summary>
    private static async Task<MessageLog> MessagesAsync(Engine engine)
    {
        var loaded = await engine.Store.LoadAsync("t", "", null, TestContext.Current.CancellationToken);
        var state = CheckpointReader.Read(loaded!, new Core.Execution.Channels.ChannelSet(AgentState.Channels)).State;
        return state.Get<MessageLog>(AgentState.Messages)!;
    }

    /// <summary>What was streamed; an X stands where what came before was superseded.</summary>
    private static string Shown(Engine engine) => string.Concat(engine.Events.All.Select(it => it.Event switch
    {
        RunEvent.LlmStream chunk => chunk.Text,
        RunEvent.LlmSuperseded => "|X|",
        _ => "",
    }));
}
