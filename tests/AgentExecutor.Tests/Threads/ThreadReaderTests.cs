using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;

namespace AgentExecutor.Tests.Threads;

/// <summary>State is read only from stored data, even if the definition no longer compiles here.</summary>
public sealed class ThreadReaderTests
{
    private const string Definition = """
        {"name": "w", "state_schema": {"properties": {"log": {"reducer": "append"}, "notes": {"reducer": "messages"},
         "sum": {"reducer": "sum"}}},
         "nodes": [{"id": "left", "type": "set", "assign": {"log": "l", "sum": 1, "notes": {"role": "user", "content": "n"}}},
                   {"id": "right", "type": "set", "assign": {"log": "r", "sum": 2}},
                   {"id": "ask", "type": "human", "join": "all", "question": "well?", "output": "answer"}],
         "edges": [{"from": "START", "to": "left"}, {"from": "START", "to": "right"}, {"from": "left", "to": "ask"},
          {"from": "right", "to": "ask"}, {"from": "ask", "to": "END"}]}
        """;

    private readonly InMemoryCheckpointStore _store = new();

    [Fact]
    public async Task State_and_open_questions_are_those_at_the_end_of_the_run()
    {
        var outcome = await RunAsync();
        Assert.Equal(RunStatus.Interrupted, outcome.Run.Status);

        var at = await new ThreadReader(_store, _store).FindAsync(outcome.Run, "", null, TestContext.Current.CancellationToken);

        AssertSame(outcome, at!);
    }

    [Theory]
    [InlineData("\"type\": \"set\"", "\"type\": \"of_a_newer_version\"")]
    [InlineData("\"type\": \"human\"", "\"type\": \"tool\", \"tool\": \"removed\"")]
    [InlineData("\"name\": \"w\"", "\"name\": \"w\", \"budget\": {\"on_exhausted\": \"of_a_newer_version\"}")]
    [InlineData("\"edges\"", "\"tool_definitions\": [{\"name\": \"x\", \"runtime\": {\"type\": \"gone\"}}], \"edges\"")]
    [InlineData("\"reducer\": \"sum\"", "\"reducer\": \"of_a_newer_version\"")]
    public async Task A_definition_that_does_not_compile_can_be_read(string part, string replacement)
    {
        var outcome = await RunAsync();
        var altered = new Runs(_store, Encoding.UTF8.GetBytes(Definition.Replace(part, replacement, StringComparison.Ordinal)));
        var compiler = new AgentCompiler(new DefinitionEnvironment(TestAgents.Models, new ToolCatalog([]), new RunLimits()));
        Assert.Throws<DefinitionException>(() => compiler.Compile(altered.Definition));
        var reader = new ThreadReader(_store, altered);

        var at = await reader.FindAsync(outcome.Run, "", null, TestContext.Current.CancellationToken);

        AssertSame(outcome, at!);
        _ = await reader.BudgetOfAsync(outcome.Run, TestContext.Current.CancellationToken);
    }

    private static void AssertSame(RunOutcome outcome, Position at)
    {
        Assert.Equal(outcome.Interrupts.Select(it => it.Id), OpenInterrupts.Of(at).Select(it => it.Id));
        foreach (var channel in outcome.State!.Channels.Channels)
        {
            Assert.Equal(Text(outcome.State, channel.Name), Text(at.State, channel.Name));
        }

        static string Text(ChannelState state, string channel) =>
            new StateView(state).Json(channel) is { ValueKind: not JsonValueKind.Undefined } json ? JsonBytes.Compact(json) : "";
    }

    private Task<RunOutcome> RunAsync() =>
        new RunExecutor(
            new RunServices(_store, new KeptEvents(), TimeProvider.System),
            _store,
            new CompiledAgents(new DefinitionEnvironment(TestAgents.Models, new ToolCatalog([]), new RunLimits()))
        ).StartAsync(new RunRequest("t", "r", Encoding.UTF8.GetBytes(Definition), Engine.Json("""{"topic": "x"}""")), default);

    /// <summary>Returns another definition than the one that the thread was started with.</summary>
    private sealed class Runs(IRunStore inner, byte[] definition) : IRunStore
    {
        public ValueTask<long> FindFenceAsync(string threadId, CancellationToken cancellationToken) =>
            inner.FindFenceAsync(threadId, cancellationToken);

        public byte[] Definition => definition;

        public ValueTask<Run?> FindAsync(string threadId, CancellationToken cancellationToken) =>
            inner.FindAsync(threadId, cancellationToken);

        public IAsyncEnumerable<Run> ListAsync(RunQuery query, CancellationToken cancellationToken) =>
            inner.ListAsync(query, cancellationToken);

        public ValueTask<StoredDefinition?> FindDefinitionAsync(string hash, CancellationToken cancellationToken) =>
            ValueTask.FromResult<StoredDefinition?>(new StoredDefinition(hash, definition));
    }
}
