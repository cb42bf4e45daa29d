using System.Text;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Agents.Output;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.ModelCalls;
using Microsoft.Extensions.AI;
using static AgentExecutor.Tests.ModelCalls.TestAnswer;

namespace AgentExecutor.Tests.Agents.Output;

public sealed class StructuredOutputTests
{
    private static readonly OutputFormat Format = new(
        Engine.Json(
            """{"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}, "people": {"type": "integer"}}}"""
        ),
        "place"
    );

    [Theory]
    [InlineData("""{"city": "Bern"}""")]
    [InlineData("  {\"city\": \"Bern\"}\n")]
    [InlineData("```json\n{\"city\": \"Bern\"}\n```")]
    [InlineData("Here you are:\n```\n{\"city\": \"Bern\"}\n```\nAnything else?")]
    public async Task An_answer_that_matches_the_schema_becomes_the_structured_response(string answer)
    {
        var server = Server(Raw(answer));

        var outcome = await RunAsync(server);

        Assert.Equal("""{"city":"Bern"}""", Structured(outcome));
        var format = Assert.IsType<ChatResponseFormatJson>(server.Calls[0].Options.ResponseFormat);
        Assert.Equal(("place", true), (format.SchemaName, format.Schema is not null));
        Assert.Contains("\"required\":[\"city\"]", server.Calls[0].Messages[0].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_model_is_asked_once_to_correct_an_answer_that_does_not_match()
    {
        var engine = new Engine();
        var server = Server(Raw("""{"people": "many"}"""), Raw("""{"city": "Bern"}"""));

        var outcome = await RunAsync(server, engine);

        Assert.Equal("""{"city":"Bern"}""", Structured(outcome));
        Assert.Contains("- $ lacks 'city'", server.Calls[1].Last, StringComparison.Ordinal);
        Assert.Contains("- $.people must be integer, not string", server.Calls[1].Last, StringComparison.Ordinal);
        Assert.Equal([MessageType.Human, MessageType.Ai, MessageType.Human, MessageType.Ai], Messages(outcome).Select(it => it.Type));
        Assert.Equal(3, (await engine.HistoryAsync()).Count); // the input, and one step per answer
    }

    [Fact]
    public async Task A_second_answer_that_does_not_match_fails_the_run()
    {
        var fault = await Assert.ThrowsAsync<FaultException>(() => RunAsync(Server(Raw("no idea"), Raw("""{"city": 7}"""))));

        Assert.Equal(FaultCodes.InvalidOutput, fault.Code);
        Assert.Contains("$.city must be string, not number", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("```json\n", " ")]
    [InlineData("```json\nx\n", "\n")]
    [InlineData("", "```")]
    [InlineData("```a\n", "``")]
    public void Hostile_text_is_rejected_as_JSON_in_linear_time(string start, string repeated)
    {
        var answer = start + string.Concat(Enumerable.Repeat(repeated, 500_000)) + "x";

        Assert.Contains("is not valid JSON", Assert.Single(Format.Check(answer, out _)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_the_final_answer_must_match_the_schema()
    {
        var outcome = await RunAsync(Server(Call("ls"), Raw("""{"city": "Bern"}""")));

        Assert.Equal("""{"city":"Bern"}""", Structured(outcome));
    }

    [Fact]
    public async Task Each_request_allows_one_correction()
    {
        var engine = new Engine();
        var server = Server(Raw("?"), Raw("""{"city": "Bern"}"""), Raw("?"), Raw("""{"city": "Rome"}"""));
        var graph = AgentGraph.Build(TestProvider.Agent("test:a") with { Output = Format }, new ModelCatalog([server]), []);
        await RunAsync(server, engine, graph: graph);

        Assert.Equal("""{"city":"Rome"}""", Structured(await RunAsync(server, engine, "h2", graph)));
    }

    [Fact]
    public async Task An_agent_without_a_response_format_has_no_channel_for_it()
    {
        var outcome = await RunAsync(Server(Raw("free")), spec: TestProvider.Agent("test:a"));

        Assert.Equal(-1, outcome.State.Channels.IndexOf(AgentState.StructuredResponse));
    }

    [Fact]
    public async Task A_workflow_step_writes_the_value_instead_of_the_text()
    {
        var compiled = new AgentCompiler(new DefinitionEnvironment(TestAgents.Models, new ToolCatalog([]), new RunLimits())).Compile(
            Encoding.UTF8.GetBytes(
                """
                {"nodes": [{"id": "ask", "type": "agent", "input": "where?", "output": "place",
                 "response_format": {"type": "object", "required": ["city"]},
                            "model": {"provider": "scripted", "model": "m", "script": [{"text": "```json\n{\"city\": \"Bern\"}\n```"}]}}],
                 "edges": [{"from": "START", "to": "ask"}, {"from": "ask", "to": "END"}]}
                """
            )
        );

        var outcome = await new Engine().RunAsync(compiled.Graph);

        Assert.Equal("""{"city":"Bern"}""", JsonBytes.Compact((JsonElement)outcome.State["place"]!));
    }

    private static TestProvider Server(params TestAnswer[] answers) => new("test", ("a", answers));

    /// <summary>The text in one chunk, with its white space.</summary>
    private static TestAnswer Raw(string text) => When(Task.CompletedTask, text);

    private static Task<GraphOutcome> RunAsync(
        TestProvider server,
        Engine? engine = null,
        string id = "h",
        Graph? graph = null,
        AgentSpec? spec = null
    ) =>
        (engine ?? new Engine()).RunAsync(
            graph ?? AgentGraph.Build(spec ?? TestProvider.Agent("test:a") with { Output = Format }, new ModelCatalog([server]), []),
            (AgentState.Messages, MessageUpdate.Append(Message.Human(id, "where?")))
        );

    private static string Structured(GraphOutcome outcome) => JsonBytes.Compact((JsonElement)outcome.State[AgentState.StructuredResponse]!);

    private static MessageLog Messages(GraphOutcome outcome) => outcome.State.Get<MessageLog>(AgentState.Messages)!;
}
