using System.Collections.Concurrent;
using System.Diagnostics;
using AgentExecutor.Core;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelLimits;
using AgentExecutor.Core.Runs;
using static AgentExecutor.Tests.ModelCalls.TestAnswer;
using static AgentExecutor.Tests.ModelCalls.TestCalls;

namespace AgentExecutor.Tests.ModelCalls;

public sealed class ModelCallerTests
{
    /// <summary>Skips the delays between attempts, but not the waits for a model.</summary>
    private readonly FakeTime _time = new() { SkipsUpTo = TimeSpan.FromSeconds(50) };

    [Theory]
    [InlineData(FaultCodes.ModelUnavailable)]
    [InlineData(FaultCodes.ModelTimeout)]
    [InlineData(FaultCodes.ModelRateLimited)]
    public async Task A_transient_failure_is_retried_and_its_output_is_superseded(string code)
    {
        var engine = Engine();
        var server = TestServer(Fault(code, shown: "half an"), Fault(code), Text("half an answer"));

        var answer = await AskAsync(engine, server);

        Assert.Equal("half an answer", answer.Text);
        Assert.Equal([1, 2, 3], server.Calls.Select(it => it.Options.Attempt));
        Assert.Equal([0.25, 0.5], _time.Skipped);
        Assert.Equal("half an|X|half an answer", Shown(engine));
        Assert.Equal(["human: go", "ai: half an answer"], await LinesAsync(engine));
    }

    [Fact]
    public async Task Broken_connections_and_client_timeouts_are_transient()
    {
        var server = TestServer(
            Throws(new HttpRequestException("refused")),
            Throws(new IOException("reset")),
            Throws(new TaskCanceledException("its own timeout")),
            Text("there")
        );

        Assert.Equal("there", (await AskAsync(Engine(), server)).Text);
    }

    [Fact]
    public async Task A_model_that_keeps_failing_fails_the_run_with_its_error()
    {
        var server = TestServer(Fault(FaultCodes.ModelUnavailable));

        var fault = await Assert.ThrowsAsync<FaultException>(() => AskAsync(Engine(), server));

        Assert.Equal(
            (FaultCodes.ModelUnavailable, "configured to fail with model_unavailable", 4),
            (fault.Code, fault.Message, server.Calls.Count)
        );
    }

    [Fact]
    public async Task The_delay_that_the_server_asks_for_is_waited()
    {
        await AskAsync(Engine(), TestServer(Fault(FaultCodes.ModelRateLimited, retryAfter: 42), Text("now")));

        Assert.Equal([42], _time.Skipped);
    }

    [Fact]
    public async Task A_delay_that_exceeds_the_runs_time_fails_at_once_with_the_servers_fault()
    {
        var server = TestServer(Fault(FaultCodes.ModelRateLimited, retryAfter: 42));

        var fault = await Assert.ThrowsAsync<FaultException>(() => AskAsync(Engine(limits: new RunLimits { MaxSeconds = 40 }), server));

        Assert.Equal((FaultCodes.ModelRateLimited, 1), (fault.Code, server.Calls.Count));
        Assert.Empty(_time.Skipped);
    }

    [Fact]
    public async Task A_stalled_answer_is_superseded_and_retried()
    {
        var time = new FakeTime();
        var engine = Engine(time);
        var asking = AskAsync(engine, TestServer(Hang("I think"), Hang("so", isDeaf: true), Text("so it is")));

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
    [InlineData(FaultCodes.ModelRateLimited, false, 1)] // the quota is exhausted
    [InlineData(FaultCodes.ModelUnavailable, true, 4)]
    [InlineData(FaultCodes.ModelTimeout, true, 4)]
    [InlineData(FaultCodes.ModelRateLimited, true, 10)]
    public async Task A_fallback_is_called_after_a_permanent_failure_and_the_message_names_it(string code, bool isTransient, int attempts)
    {
        var engine = Engine();
        var server = TestServer(Fault(code, isTransient));
        var other = new TestProvider("other", ("b", [Text("from b", model: "b-2026-01-01")]));

        var answer = await AskAsync(engine, [server, other], TestProvider.Agent("test:a", "other:b"));

        Assert.Equal("from b", answer.Text);
        Assert.Equal(new AnsweringModel("other", "b-2026-01-01"), answer.Model);
        Assert.Equal((attempts, 1, 1), (server.Calls.Count, other.Calls.Count, other.Calls[0].Options.Attempt));
    }

    [Theory]
    [InlineData(FaultCodes.ModelInvalidRequest)]
    [InlineData(FaultCodes.ModelRefused)]
    public async Task An_invalid_request_is_not_sent_to_fallbacks(string code)
    {
        var other = new TestProvider("other", ("b", [Text("from b")]));

        var fault = await Assert.ThrowsAsync<FaultException>(() =>
            AskAsync(Engine(), [TestServer(Fault(code, isTransient: false)), other], TestProvider.Agent("test:a", "other:b"))
        );

        Assert.Equal((code, 0), (fault.Code, other.Calls.Count));
    }

    [Fact]
    public async Task A_fallback_is_called_after_a_refusal_if_the_definition_allows_it()
    {
        var spec = TestProvider.Agent("test:a", "other:b");
        var other = new TestProvider("other", ("b", [Text("gladly")]));

        var answer = await AskAsync(
            Engine(),
            [TestServer(Fault(FaultCodes.ModelRefused, isTransient: false)), other],
            spec with
            {
                Model = spec.Model with { FallbackOnRefusal = true },
            }
        );

        Assert.Equal("gladly", answer.Text);
    }

    [Fact]
    public async Task If_all_models_fail_the_error_names_each_of_them()
    {
        var other = new TestProvider("other", ("b", [Fault(FaultCodes.ModelUnavailable, retryAfter: 1_000)]));

        var fault = await Assert.ThrowsAsync<FaultException>(() =>
            AskAsync(
                Engine(),
                [TestServer(Fault(FaultCodes.ModelAuthentication, isTransient: false)), other],
                TestProvider.Agent("test:a", "other:b")
            )
        );

        Assert.Equal((FaultCodes.ModelUnavailable, true), (fault.Code, fault.IsTransient));
        Assert.Contains(
            "(other:b; before it failed test:a: configured to fail with model_authentication [model_authentication])",
            fault.Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_fallback_is_called_instead_of_waiting_for_a_long_pause()
    {
        var server = TestServer(Fault(FaultCodes.ModelRateLimited, retryAfter: 6));
        var other = new TestProvider("other", ("b", [Text("from b")]));

        Assert.Equal("from b", (await AskAsync(Engine(), [server, other], TestProvider.Agent("test:a", "other:b"))).Text);

        Assert.Single(server.Calls);
        Assert.Empty(_time.Skipped);
    }

    [Fact]
    public async Task The_error_of_a_limit_reached_by_a_fallback_names_the_earlier_failures()
    {
        var server = TestServer(Fault(FaultCodes.ModelAuthentication, isTransient: false, usage: new TokenUsage(15_900, 0)));
        var other = new TestProvider("other", ("b", [Text("from b")]));

        var fault = await Assert.ThrowsAsync<FaultException>(() =>
            AskAsync(Engine(limits: new RunLimits { MaxTokens = 16_000 }), [server, other], TestProvider.Agent("test:a", "other:b"))
        );

        Assert.Equal((FaultCodes.TokenLimit, 0), (fault.Code, other.Calls.Count));
        Assert.Contains("before it failed test:a: configured to fail with model_authentication", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_attempt_starts_after_the_run_has_used_its_tokens()
    {
        var server = TestServer(Fault(FaultCodes.ModelUnavailable, usage: new TokenUsage(9_000, 0)));

        var fault = await Assert.ThrowsAsync<FaultException>(() => AskAsync(Engine(limits: new RunLimits { MaxTokens = 16_000 }), server));

        Assert.Equal((FaultCodes.TokenLimit, 2), (fault.Code, server.Calls.Count));
    }

    [Fact]
    public async Task Each_attempt_is_a_span_with_its_outcome()
    {
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == Telemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);

        var server = new TestProvider(
            "test",
            ("spanned", [Fault(FaultCodes.ModelRateLimited), Text("yes", new TokenUsage(7, 3), model: "spanned-1")])
        );
        await AskAsync(Engine(), [server], TestProvider.Agent("test:spanned"));

        var attempts = spans.Where(span => Equals(span.GetTagItem("gen_ai.request.model"), "spanned")).ToList();
        Assert.Equal([FaultCodes.ModelRateLimited, null], attempts.Select(span => span.GetTagItem("error.type")));
        Assert.Equal(
            ("spanned-1", 7L, 3L),
            (
                attempts[1].GetTagItem("gen_ai.response.model"),
                attempts[1].GetTagItem("gen_ai.usage.input_tokens"),
                attempts[1].GetTagItem("gen_ai.usage.output_tokens")
            )
        );
        Assert.Equal(["stop"], (string[])attempts[1].GetTagItem("gen_ai.response.finish_reasons")!);
    }

    private Engine Engine(FakeTime? time = null, ModelCallSettings? calls = null, RunLimits? limits = null) =>
        new()
        {
            Time = time ?? _time,
            Calls = calls ?? new ModelCallSettings(),
            Limits = limits ?? new RunLimits(),
        };
}
