using System.Text;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Tests.Agents;

/// <summary>Sub-agents have channels of their own, and share those that their caller also has.</summary>
public sealed class SharedChannelTests
{
    private readonly AddingTools _tools = new();

    [Fact]
    public async Task A_channel_of_a_specialist_is_its_own()
    {
        var outcome = await RunAsync(lead: "{}", specialist: """{"notes": {"type": "list", "reducer": "append"}}""");

        Assert.Equal(["null", """["a"]""", "null", """["a"]"""], _tools.Seen);
        Assert.Null(outcome.State!["notes"]);
    }

    [Fact]
    public async Task A_channel_that_both_have_starts_with_the_callers_value_and_its_changes_are_merged_back()
    {
        var outcome = await RunAsync(
            lead: """{"notes": {"type": "list", "reducer": "append", "default": ["x"]}}""",
            specialist: """{"notes": {"type": "list", "reducer": "append"}}"""
        );

        Assert.Equal(["""["x"]""", """["x","a"]""", """["x","a","a"]""", """["x","a","a","a"]"""], _tools.Seen);
        Assert.Equal("""["x","a","a","a","a"]""", Json(outcome, "notes"));
    }

    [Fact]
    public async Task A_default_of_a_specialist_applies_to_each_of_its_runs()
    {
        await RunAsync(lead: "{}", specialist: """{"notes": {"type": "list", "reducer": "append", "default": ["d"]}}""");

        Assert.Equal(["""["d"]""", """["d","a"]""", """["d"]""", """["d","a"]"""], _tools.Seen);
    }

    private static string Json(RunOutcome outcome, string channel) =>
        new StateView(outcome.State!).Json(channel) is { ValueKind: not System.Text.Json.JsonValueKind.Undefined } json
            ? Core.Json.JsonBytes.Compact(json)
            : "null";

    /// <summary>The lead delegates two tasks, one after the other. In each, the specialist adds a note twice.</summary>
    private async Task<RunOutcome> RunAsync(string lead, string specialist)
    {
        var definition = """
            {"tool_definitions": [{"name": "add", "runtime": {"type": "adding"}}],
             "nodes": [
               {"id": "lead", "type": "Orchestrator", "config": {"state_schema": LEAD, "model": {"provider": "scripted", "model": "m",
                "script": [
                 {"tool_calls": [{"name": "task", "args": {"description": "1", "subagent_type": "Note Taker"}}]},
                 {"tool_calls": [{"name": "task", "args": {"description": "2", "subagent_type": "Note Taker"}}]},
                 {"text": "done"}]}}},
               {"id": "taker", "type": "Specialist", "config": {"name": "Note Taker", "description": "d", "tools": ["add"],
                 "state_schema": SPECIALIST, "model": {"provider": "scripted", "model": "m", "script": [
                   {"tool_calls": [{"name": "add", "args": {}}]}, {"tool_calls": [{"name": "add", "args": {}}]}, {"text": "taken"}]}}}],
             "edges": [{"source": "lead", "target": "taker", "type": "orchestrator"}]}
            """.Replace("LEAD", lead, StringComparison.Ordinal).Replace("SPECIALIST", specialist, StringComparison.Ordinal);
        var store = new InMemoryCheckpointStore();
        var environment = new DefinitionEnvironment(TestAgents.Models, new ToolCatalog([_tools]), new RunLimits());
        var executor = new RunExecutor(
            new RunServices(store, new KeptEvents(), TimeProvider.System),
            store,
            new CompiledAgents(environment)
        );
        var request = new RunRequest("t", "r", Encoding.UTF8.GetBytes(definition), Engine.Json("""{"user_request": "go"}"""));
        var outcome = await executor.StartAsync(request, new RunSignals(TestContext.Current.CancellationToken));
        Assert.Equal(RunStatus.Completed, outcome.Run.Status);
        return outcome;
    }

    /// <summary>Makes tools that record the notes and add one.</summary>
    private sealed class AddingTools : IToolSource
    {
        public List<string> Seen { get; } = [];

        public string RuntimeType => "adding";

        public IEnumerable<ToolFault> Check(Core.Definitions.ToolDefinition definition) => [];

        public Tool Create(Core.Definitions.ToolDefinition definition) => new AddingTool(definition.Name, Seen);
    }

    private sealed class AddingTool(string name, List<string> seen) : TestTool(name)
    {
        public override ValueTask<ToolResult> InvokeAsync(
            System.Text.Json.JsonElement arguments,
            ToolContext context,
            CancellationToken cancellationToken
        )
        {
            var notes = context.Node.State.Json("notes");
            seen.Add(notes.ValueKind == System.Text.Json.JsonValueKind.Undefined ? "null" : Core.Json.JsonBytes.Compact(notes));
            return ValueTask.FromResult(new ToolResult("added") { Updates = [new ToolUpdate("notes", Engine.Json("""["a"]"""))] });
        }

        protected override string Invoke(ToolContext context) => "";
    }
}
