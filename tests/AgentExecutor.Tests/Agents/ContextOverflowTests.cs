using AgentExecutor.Core;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Tests.ModelCalls;
using static AgentExecutor.Tests.ModelCalls.TestAnswer;

namespace AgentExecutor.Tests.Agents;

public sealed class ContextOverflowTests
{
    private static readonly TestAnswer TooLong = Fault(FaultCodes.ModelContextOverflow, isTransient: false);

    [Fact]
    public async Task A_conversation_that_is_too_long_for_the_model_is_summarised_in_a_separate_step_and_continues()
    {
        var engine = new Engine();
        var server = new TestProvider("test", ("a", [TooLong, Text("all in short"), Text("done")]));

        var outcome = await RunAsync(engine, server, Long(20));

        var messages = outcome.State.Get<MessageLog>(AgentState.Messages)!;
        Assert.Equal("Here is a summary of the conversation so far:\n\nall in short", messages[0].Text);
        Assert.Equal("done", messages.Last!.Text);
        Assert.InRange(messages.Count, 4, 10);
        Assert.Equal("model summarize model", string.Join(' ', Nodes(engine)));
        Assert.Equal((3, 0), (server.Calls.Count, server.Calls[1].Options.Tools?.Count ?? 0));
    }

    [Theory]
    [InlineData("", "stop")]
    [InlineData("", "length")]
    [InlineData("the beginning of a", "length")]
    public async Task Without_a_complete_summary_the_conversation_is_kept_without_its_middle(string summary, string finish)
    {
        TestAnswer[] summaries =
            // Only an empty one is retried.
            summary == ""
            && finish == "stop"
                ? [Text(""), Text(""), Text(""), Text("")]
                : [Text(summary, finish: finish)];
        var server = new TestProvider("test", ("a", [TooLong, .. summaries, Text("done")]));

        var outcome = await RunAsync(new Engine(), server, Long(20));

        var messages = outcome.State.Get<MessageLog>(AgentState.Messages)!;
        Assert.Equal("done", messages.Last!.Text);
        Assert.Contains("human: question 0", messages[0].Text, StringComparison.Ordinal);
        Assert.Contains("characters are omitted here", messages[0].Text, StringComparison.Ordinal);
        Assert.InRange(messages[0].Text.Length, 500, 1_500);
    }

    [Fact]
    public async Task A_conversation_that_is_still_too_long_after_the_summary_fails_the_run()
    {
        var engine = new Engine();
        var server = new TestProvider("test", ("a", [TooLong, Text("all in short"), TooLong]));

        var fault = await Assert.ThrowsAsync<FaultException>(() => RunAsync(engine, server, Long(20)));

        Assert.Equal((FaultCodes.ModelContextOverflow, 3), (fault.Code, server.Calls.Count));
    }

    [Fact]
    public async Task A_fallback_is_called_if_the_summarised_conversation_is_still_too_long()
    {
        var server = new TestProvider("test", ("a", [TooLong, Text("all in short"), TooLong]));
        var roomy = new TestProvider("roomy", ("b", [Text("there is room")]));

        var outcome = await RunAsync(new Engine(), [server, roomy], TestProvider.Agent("test:a", "roomy:b"), Long(20));

        Assert.Equal("there is room", outcome.State.Get<MessageLog>(AgentState.Messages)!.Last!.Text);
    }

    [Fact]
    public async Task The_conversation_can_be_summarised_again_for_a_later_answer()
    {
        var server = new TestProvider("test", ("a", [TooLong, Text("short"), Call("ls"), TooLong, Text("shorter"), Text("done")]));

        var outcome = await RunAsync(new Engine(), server, Long(20));

        Assert.Equal("done", outcome.State.Get<MessageLog>(AgentState.Messages)!.Last!.Text);
        Assert.EndsWith("shorter", outcome.State.Get<MessageLog>(AgentState.Messages)![0].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_transcript_that_is_too_long_for_the_model_is_shortened_in_the_middle_until_it_fits()
    {
        var server = new TestProvider("test", ("a", [TooLong, TooLong, TooLong, Text("in short"), Text("done")]));

        await RunAsync(new Engine(), server, [Message.Human("h", "BEGIN" + new string('x', 10_000) + "END")]);

        var transcripts = server.Calls.Skip(1).Take(3).Select(it => it.Last).ToList();
        Assert.True(transcripts[0].Length > 10_000);
        Assert.InRange(transcripts[1].Length, 4_900, 5_200);
        Assert.InRange(transcripts[2].Length, 2_400, 2_700);
        Assert.StartsWith("human: BEGIN", transcripts[2], StringComparison.Ordinal);
        Assert.EndsWith("END\n", transcripts[2], StringComparison.Ordinal);
        Assert.Contains("characters are omitted here", transcripts[2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_transcript_is_shortened_to_half_of_the_context_before_the_first_call()
    {
        var spec = TestProvider.Agent("test:a");
        var server = new TestProvider("test", ("a", [TooLong, Text("in short"), Text("done")]));

        await RunAsync(
            new Engine(),
            [server],
            spec with
            {
                Model = spec.Model with { ContextTokens = 1_000 },
            },
            [Message.Human("h", new string('x', 100_000))]
        );

        Assert.InRange(server.Calls[1].Last.Length, 1_900, 2_100);
    }

    private static Message[] Long(int messages) =>
        [
            .. Enumerable
                .Range(0, messages)
                .Select(i =>
                    i % 2 == 0
                        ? Message.Human($"h{i}", $"question {i} {new string('q', 100)}")
                        : Message.Ai($"a{i}", $"answer {i} {new string('a', 100)}")
                ),
            Message.Human("last", "go on"),
        ];

    private static Task<GraphOutcome> RunAsync(Engine engine, TestProvider server, Message[] messages) =>
        RunAsync(engine, [server], TestProvider.Agent("test:a"), messages);

    private static Task<GraphOutcome> RunAsync(Engine engine, IEnumerable<IModelProvider> providers, AgentSpec spec, Message[] messages) =>
        engine.RunAsync(AgentGraph.Build(spec, new ModelCatalog(providers), []), (AgentState.Messages, MessageUpdate.Append(messages)));

    private static IEnumerable<string> Nodes(Engine engine) =>
        engine.Events.Of<Core.Events.RunEvent.StateUpdated>().SelectMany(it => it.Nodes);
}
