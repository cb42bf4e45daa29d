using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelLimits;
using AgentExecutor.Core.Runs;
using Microsoft.Extensions.AI;
using static AgentExecutor.Tests.ModelCalls.TestAnswer;
using static AgentExecutor.Tests.ModelCalls.TestCalls;

namespace AgentExecutor.Tests.ModelCalls;

/// <summary>Which answers are used, and how they are stored.</summary>
public sealed class ModelAnswerTests
{
    /// <summary>Skips the delays between attempts, but not the waits for a model.</summary>
    private readonly FakeTime _time = new() { SkipsUpTo = TimeSpan.FromSeconds(50) };

    [Fact]
    public async Task The_answering_model_is_stored_with_the_message()
    {
        var engine = Engine();
        await AskAsync(engine, TestServer(Text("yes", model: "a-1")));

        Assert.Equal(new AnsweringModel("test", "a-1"), (await MessagesAsync(engine))[1].Model);
    }

    [Fact]
    public async Task An_empty_answer_is_retried_and_never_counts_as_success()
    {
        var (never, late) = (TestServer(Text("")), TestServer(Text(""), Text(" \n"), Text("At last.")));

        var fault = await Assert.ThrowsAnyAsync<FaultException>(() => AskAsync(Engine(), never));

        Assert.Equal((FaultCodes.ModelUnavailable, 4), (fault.Code, never.Calls.Count));
        Assert.Equal(("At last.", 3), ((await AskAsync(Engine(), late)).Text, late.Calls.Count));
    }

    [Theory]
    [InlineData(typeof(InvalidOperationException))]
    [InlineData(typeof(FormatException))]
    [InlineData(typeof(System.Text.Json.JsonException))]
    [InlineData(typeof(KeyNotFoundException))]
    public async Task An_answer_that_the_client_cannot_read_is_a_fault_of_the_model(Type type)
    {
        var server = TestServer(Throws((Exception)Activator.CreateInstance(type, "odd")!));

        var fault = await Assert.ThrowsAnyAsync<FaultException>(() => AskAsync(Engine(), server));

        Assert.Equal((FaultCodes.ModelUnavailable, true, 4), (fault.Code, fault.IsTransient, server.Calls.Count));
        Assert.Contains("odd", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_a_filter_stopped_is_a_refusal()
    {
        var engine = Engine();

        var fault = await Assert.ThrowsAsync<FaultException>(() => AskAsync(engine, TestServer(Text("how to", finish: "content_filter"))));

        Assert.Equal(FaultCodes.ModelRefused, fault.Code);
        Assert.Equal("how to|X|", Shown(engine));
    }

    [Fact]
    public async Task An_answer_that_was_cut_off_before_any_text_names_the_limit_to_raise()
    {
        var fault = await Assert.ThrowsAsync<FaultException>(() => AskAsync(Engine(), TestServer(Text("", finish: "length"))));

        Assert.Equal(FaultCodes.InvalidOutput, fault.Code);
        Assert.Contains("max_tokens", fault.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_was_cut_off_keeps_its_finish_reason() =>
        Assert.Equal("length", (await AskAsync(Engine(), TestServer(Text("it is", finish: "length")))).FinishReason);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_call_whose_arguments_were_cut_off_is_not_made(bool isMalformed)
    {
        var engine = Engine();
        var call = isMalformed
            ? new FunctionCallContent("c1", "ls") { RawRepresentation = """{"path": "/se""", Exception = new JsonException("cut") }
            : new FunctionCallContent("c1", "ls", new Dictionary<string, object?>());
        var server = TestServer(Call("ls", "length", call), Text("again, then"));

        await AskAsync(engine, server);

        Assert.Contains("the arguments of ls are not a JSON object", (await LinesAsync(engine))[2], StringComparison.Ordinal);
    }

    private Engine Engine(FakeTime? time = null, ModelCallSettings? calls = null, RunLimits? limits = null) =>
        new()
        {
            Time = time ?? _time,
            Calls = calls ?? new ModelCallSettings(),
            Limits = limits ?? new RunLimits(),
        };
}
