using AgentExecutor.Core;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelLimits;
using AgentExecutor.Core.Runs;
using static AgentExecutor.Tests.ModelCalls.TestAnswer;
using static AgentExecutor.Tests.ModelCalls.TestCalls;

namespace AgentExecutor.Tests.ModelCalls;

/// <summary>How the tokens of a call are counted.</summary>
public sealed class ModelUsageTests
{
    /// <summary>Skips the delays between attempts, but not the waits for a model.</summary>
    private readonly FakeTime _time = new() { SkipsUpTo = TimeSpan.FromSeconds(50) };

    [Fact]
    public async Task The_reported_usage_of_a_failed_attempt_is_counted()
    {
        var engine = Engine();
        using var session = engine.Session();

        await AskAsync(
            session,
            [TestServer(Fault(FaultCodes.ModelUnavailable, usage: new TokenUsage(100, 7)), Text("x", new TokenUsage(100, 1)))],
            TestProvider.Agent("test:a")
        );

        Assert.Equal(new TokenUsage(200, 8), session.Usage.Current.Tokens);
    }

    [Fact]
    public async Task Usage_that_the_server_does_not_report_is_estimated()
    {
        var engine = Engine();
        using var session = engine.Session();

        await AskAsync(session, [TestServer(Text("twelve characters make three"))], TestProvider.Agent("test:a"));

        Assert.Equal((1, 7), (session.Usage.Current.ModelCalls, session.Usage.Current.Tokens.Output));
        Assert.True(session.Usage.Current.Tokens.Input > 100, "the system prompt alone is longer");
    }

    [Theory]
    [InlineData("half an answer", 5)]
    [InlineData("", 1)]
    public async Task The_usage_of_a_failed_attempt_is_estimated_from_its_output(string shown, long output)
    {
        using var session = Engine().Session();

        await AskAsync(
            session,
            [TestServer(Fault(FaultCodes.ModelUnavailable, shown: shown), Text("x", new TokenUsage(100, 1)))],
            TestProvider.Agent("test:a")
        );

        Assert.Equal(
            (1, output, shown.Length > 0),
            (session.Usage.Current.ModelCalls, session.Usage.Current.Tokens.Output, session.Usage.Current.Tokens.Input > 200)
        );
    }

    [Fact]
    public async Task A_filtered_answer_is_counted_but_not_used()
    {
        using var session = Engine().Session();

        await Assert.ThrowsAsync<FaultException>(() =>
            AskAsync(session, [TestServer(Text("how to", finish: "content_filter"))], TestProvider.Agent("test:a"))
        );

        Assert.Equal((0, 2), (session.Usage.Current.ModelCalls, session.Usage.Current.Tokens.Output));
    }

    [Fact]
    public async Task Partial_counts_are_limited_to_the_total()
    {
        using var session = Engine().Session();

        await AskAsync(session, [TestServer(Text("x", new TokenUsage(100, 10, 60, 11, 60)))], TestProvider.Agent("test:a"));

        Assert.Equal(new TokenUsage(100, 10, 60, 10, 40), session.Usage.Current.Tokens);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(-5, -7)]
    [InlineData(long.MaxValue, long.MaxValue)]
    [InlineData(0, 10)]
    [InlineData(900, 0)]
    public async Task An_implausible_count_is_replaced_by_an_estimate(long input, long output)
    {
        using var session = Engine().Session();
        var text = new string('x', 4_000);

        var answer = await AskAsync(session, [TestServer(Text(text, new TokenUsage(input, output)))], TestProvider.Agent("test:a"));

        var tokens = session.Usage.Current.Tokens;
        Assert.InRange(tokens.Input, input == 900 ? 900 : 500, input == 900 ? 900 : 3_000); // the system prompt
        Assert.Equal(output == 10 ? 10 : 1_000, tokens.Output);
        Assert.Null(answer.Usage);
    }

    [Fact]
    public async Task A_rejected_request_does_not_use_the_token_rate_limit()
    {
        var engine = Engine(calls: new ModelCallSettings { TokensPerMinute = 1_000 });
        var server = TestServer(Fault(FaultCodes.ModelInvalidRequest, isTransient: false));

        await Assert.ThrowsAsync<FaultException>(() => AskAsync(engine, server));
        await Assert.ThrowsAsync<FaultException>(() => AskAsync(engine, server));

        Assert.Equal(2, server.Calls.Count);
        Assert.Empty(_time.Skipped);
    }

    private Engine Engine(FakeTime? time = null, ModelCallSettings? calls = null, RunLimits? limits = null) =>
        new()
        {
            Time = time ?? _time,
            Calls = calls ?? new ModelCallSettings(),
            Limits = limits ?? new RunLimits(),
        };
}
