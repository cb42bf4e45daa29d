using System.Text;
using System.Text.Json;
using AgentExecutor.Adapters.Sandbox;
using AgentExecutor.Adapters.Scripts;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.ModelProviders.Scripted;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.IntegrationTests.Scripts;

/// <summary>Runs agents with script tools in the process of the test. The scripts run in the sandbox.</summary>
internal sealed class ScriptRuns : IAsyncDisposable
{
    private readonly ScriptToolSource _source;
    private readonly InMemoryEventStream _events = new();
    private int _runs;

    /// <param name="settings">The settings; null for the defaults.</param>
    /// <param name="highest">The strongest isolation that is tried.</param>
    public ScriptRuns(ScriptToolSettings? settings = null, SandboxLevel highest = SandboxLevel.Namespaces) =>
        _source = new ScriptToolSource(
            new ProcessSandbox(new SandboxSettings(), TimeProvider.System, highest: highest),
            settings ?? new ScriptToolSettings { MaxRunners = 4 },
            TimeProvider.System
        );

    public RunnerPool Runners => _source.Runners;

    private DefinitionEnvironment Environment =>
        new(new ModelCatalog([new ScriptedProvider(TimeProvider.System)]), new ToolCatalog([_source]), new RunLimits());

    /// <summary>Makes one call of the tool <c>t</c>, and returns the message that answers it.</summary>
    /// <param name="script">The source.</param>
    /// <param name="arguments">The arguments as JSON.</param>
    /// <param name="runtime">More fields of <c>runtime</c> as JSON, with a comma before them.</param>
    /// <param name="name">The name of the definition.</param>
    public async Task<Message> CallAsync(string script, string arguments = "{}", string runtime = "", string name = "d")
    {
        var outcome = await RunAsync(Agent(Tool("t", script, runtime), Turns(("t", arguments)), name: name));
        return outcome.State!.Get<MessageLog>(AgentState.Messages)!.Single(message => message.Type == MessageType.Tool);
    }

    /// <summary>Runs a definition on a new thread to its end.</summary>
    public async Task<RunOutcome> RunAsync(string definition)
    {
        var outcome = await StartAsync(definition, new RunSignals(TestContext.Current.CancellationToken));
        Assert.True(outcome.Run.Status == RunStatus.Completed, outcome.Run.Failure?.Message);
        return outcome;
    }

    /// <summary>Runs a definition on a new thread.</summary>
    public async Task<RunOutcome> StartAsync(string definition, RunSignals signals)
    {
        var store = new InMemoryCheckpointStore();
        var services = new RunServices(store, _events, TimeProvider.System);
        var executor = new RunExecutor(services, store, new CompiledAgents(Environment));
        var id = $"{Interlocked.Increment(ref _runs)}";
        var input = JsonElement.Parse("""{"user_request": "go"}""");
        return await executor.StartAsync(new RunRequest($"t{id}", $"r{id}", Encoding.UTF8.GetBytes(definition), input), signals);
    }

    /// <summary>Returns what is wrong with a definition.</summary>
    public async Task<IReadOnlyList<Core.Definitions.DefinitionFault>> FaultsAsync(string definition)
    {
        var source = Core.Definitions.DefinitionReader.Read(Encoding.UTF8.GetBytes(definition));
        await Environment.Tools.PrepareAsync(source.Definition, TestContext.Current.CancellationToken);
        return DefinitionValidator.Validate(source, Environment);
    }

    /// <summary>Returns the tool <c>t</c> of a script, as models see it.</summary>
    public async Task<Tool> DeclareAsync(string script, string runtime = "", string more = "")
    {
        var definition = Agent(Tool("t", script, runtime, more), ScriptRuns.Turns());
        var compiled = await new CompiledAgents(Environment).GetAsync(
            Encoding.UTF8.GetBytes(definition),
            TestContext.Current.CancellationToken
        );
        return Assert.Single(compiled.Agents[0].Tools);
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    /// <summary>Returns an agent with these tools and turns of its model.</summary>
    public static string Agent(string tools, string turns, string schema = "{}", string name = "d") =>
        """
            {"name": "NAME", "tool_definitions": [TOOLS], "nodes": [{"id": "a", "type": "Orchestrator", "config": {
              "tools": NAMES, "state_schema": SCHEMA, "model": {"provider": "scripted", "model": "m", "script": TURNS}}}]}
            """.Replace("NAMES", NamesOf(tools), StringComparison.Ordinal).Replace("NAME", name, StringComparison.Ordinal).Replace(
            "SCHEMA",
            schema,
            StringComparison.Ordinal
        ).Replace("TURNS", turns, StringComparison.Ordinal).Replace("TOOLS", tools, StringComparison.Ordinal);

    public static string Tool(string name, string script, string runtime = "", string more = "") =>
        """{"name": "NAME"MORE, "runtime": {"script": SCRIPT RUNTIME}}"""
            .Replace("NAME", name, StringComparison.Ordinal)
            .Replace("MORE", more, StringComparison.Ordinal)
            .Replace("RUNTIME", runtime, StringComparison.Ordinal)
            .Replace("SCRIPT", JsonBytes.Compact(JsonBytes.Text(script)), StringComparison.Ordinal);

    /// <summary>Returns turns of a model that makes these calls one after the other, and then answers.</summary>
    public static string Turns(params (string Tool, string Arguments)[] calls) =>
        "["
        + string.Concat(
            calls.Select(
                (call, index) => $"{{\"tool_calls\": [{{\"id\": \"c{index}\", \"name\": \"{call.Tool}\", \"args\": {call.Arguments}}}]}}, "
            )
        )
        + """{"text": "done"}]""";

    public static string Json(RunOutcome outcome, string channel) =>
        new StateView(outcome.State!).Json(channel) is { ValueKind: not JsonValueKind.Undefined } json ? JsonBytes.Compact(json) : "";

    /// <summary>Returns the answers of tools in a conversation.</summary>
    public static IReadOnlyList<string> Answers(RunOutcome outcome) =>
        [
            .. outcome
                .State!.Get<MessageLog>(AgentState.Messages)!
                .Where(message => message.Type == MessageType.Tool)
                .Select(message => message.Text),
        ];

    private static string NamesOf(string tools) =>
        $"[{string.Join(',', JsonElement.Parse($"[{tools}]").EnumerateArray().Select(it => $"\"{it.GetProperty("name").GetString()}\""))}]";
}
