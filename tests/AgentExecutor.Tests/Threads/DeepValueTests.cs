using System.Text;
using System.Text.Json;
using AgentExecutor.Conformance.Checkpoints;
using AgentExecutor.Core;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.ModelProviders.Scripted;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Tests.Threads;

/// <summary>
/// Every accepted value can be read back. A value that could not be read back is rejected, and its sender receives the reason.
/// </summary>
public sealed class DeepValueTests
{
    private readonly InMemoryCheckpointStore _store = new();

    [Theory]
    [InlineData(60)]
    [InlineData(InputJson.MaxDepth)]
    public async Task Deeply_nested_arguments_of_a_tool_call_are_stored_and_read_back(int depth)
    {
        var executor = Executor($$"""{"todos": [], "tree": {{Nested(depth - 1)}} }""");
        var outcome = await StartAsync(executor, Orchestrator);
        Assert.Equal(RunStatus.Completed, outcome.Run.Status);

        var again = await executor.StartAsync(
            new RunRequest("t", "r2", Encoding.UTF8.GetBytes(Orchestrator), Engine.Json("""{"user_request": "go on"}""")),
            default
        );

        Assert.Equal(RunStatus.Completed, again.Run.Status);
    }

    [Fact]
    public async Task Arguments_that_are_nested_too_deeply_are_an_error_for_the_model()
    {
        var outcome = await StartAsync(Executor($$"""{"todos": [], "tree": {{Nested(InputJson.MaxDepth)}} }"""), Orchestrator);

        Assert.Equal(RunStatus.Completed, outcome.Run.Status);
        Assert.Contains($"write_todos is nested more than {InputJson.MaxDepth} levels deep", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_value_that_a_loop_nests_too_deeply_fails_the_run_and_the_thread_stays_readable()
    {
        const string Loop = """
            {"name": "w", "limits": {"max_supersteps": 200}, "initial_state": {"x": 1, "n": 0},
             "nodes": [{"id": "wrap", "type": "set", "assign": {"x": {"inner": "{{ state.x }}"}, "n": "{{ state.n + 1 }}"}}],
             "edges": [{"from": "START", "to": "wrap"}, {"from": "wrap", "to": "wrap", "when": "state.n < 150"},
              {"from": "wrap", "to": "END", "when": "state.n >= 150"}]}
            """;
        var executor = Executor("{}");
        var outcome = await StartAsync(executor, Loop);

        Assert.Equal((RunStatus.Failed, FaultCodes.InvalidUpdate), (outcome.Run.Status, outcome.Run.Failure!.Code));
        Assert.Contains($"is nested more than {InputJson.MaxDepth} levels deep", outcome.Run.Failure.Message, StringComparison.Ordinal);
        Assert.Equal(InputJson.MaxDepth, JsonBytes.Compact((JsonElement)outcome.State!["x"]!).Count(it => it == '{'));
        Assert.Equal(
            FaultCodes.InvalidUpdate,
            (await executor.ResumeAsync("t", new Dictionary<string, JsonElement>(), default)).Run.Failure!.Code
        );
    }

    [Theory]
    [InlineData("""{"user_request": "go", "total": 1e999}""", FaultCodes.InvalidUpdate)]
    [InlineData("""{"user_request": "go", "__interrupt__": 1}""", FaultCodes.InvalidInput)]
    [InlineData("""{"user_request": "go", "__no_writes__": 1}""", FaultCodes.InvalidInput)]
    [InlineData("""{"user_request": "go", "join:a": 1}""", FaultCodes.InvalidInput)]
    [InlineData("""{"user_request": "go", "nul\u0000": 1}""", FaultCodes.InvalidInput)]
    [InlineData("DEEP", FaultCodes.InvalidInput)]
    [InlineData("LONG", FaultCodes.InvalidInput)]
    public async Task An_input_that_could_not_be_read_back_is_rejected_and_nothing_is_stored(string input, string code)
    {
        input = input switch
        {
            "DEEP" => $$"""{"user_request": "go", "tree": {{Nested(InputJson.MaxDepth)}} }""",
            "LONG" => $$"""{"user_request": "go", "{{new string('x', 3_000)}}": 1}""",
            _ => input,
        };
        const string Definition = """
            {"name": "d", "state_schema": {"properties": {"total": {"reducer": "sum"}}},
             "nodes": [{"id": "a", "type": "orchestrator",
              "config": {"model": {"provider": "scripted", "model": "x", "script": [{"text": "done"}]}}}]}
            """;

        var fault = await Assert.ThrowsAsync<FaultException>(() =>
            Executor("{}").StartAsync(new RunRequest("t", "r", Encoding.UTF8.GetBytes(Definition), StoredJson.Parse(input)), default)
        );

        Assert.Equal(code, fault.Code);
        Assert.Null(await _store.FindAsync("t", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task An_unpaired_surrogate_in_an_input_is_replaced()
    {
        var outcome = await Executor("{}")
            .StartAsync(
                new RunRequest(
                    "t",
                    "r",
                    Encoding.UTF8.GetBytes(Orchestrator),
                    Engine.Json("""{"user_request": "a\ud83d", "k\udce6": ["\ud83d"]}""")
                ),
                default
            );

        Assert.Equal(RunStatus.Completed, outcome.Run.Status);
        Assert.Equal(
            """["\uFFFD"]""".Replace("\\uFFFD", "\uFFFD", StringComparison.Ordinal),
            JsonBytes.Compact((JsonElement)outcome.State!["k\uFFFD"]!)
        );
    }

    private const string Orchestrator =
        """{"name": "d", "nodes": [{"id": "a", "type": "orchestrator", "config": {"model": {"provider": "calling", "model": "x"}}}]}""";

    private static string Nested(int depth) => new StringBuilder().Append('[', depth).Append(']', depth).ToString();

    private static Task<RunOutcome> StartAsync(RunExecutor executor, string definition) =>
        executor.StartAsync(
            new RunRequest("t", "r1", Encoding.UTF8.GetBytes(definition), Engine.Json("""{"user_request": "go"}""")),
            default
        );

    private RunExecutor Executor(string arguments)
    {
        var models = new ModelCatalog([
            new CallingModel(() => ("c1", "write_todos", StoredJson.Parse(arguments))),
            new ScriptedProvider(TimeProvider.System),
        ]);
        return new RunExecutor(
            new RunServices(_store, new KeptEvents(), TimeProvider.System),
            _store,
            new CompiledAgents(new DefinitionEnvironment(models, new ToolCatalog([]), new RunLimits()))
        );
    }
}
