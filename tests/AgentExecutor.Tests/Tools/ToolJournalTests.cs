using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;

namespace AgentExecutor.Tests.Tools;

/// <summary>A worker dies while a tool call is in flight, or between its end and the next commit.</summary>
public sealed class ToolJournalTests
{
    private readonly InMemoryCheckpointStore _store = new();
    private readonly KeptEvents _events = new();
    private int _attempt;

    [Fact]
    public async Task The_intent_is_stored_before_the_call_and_the_outcome_with_the_step()
    {
        StoredToolCall? seen = null;
        var tool = new EffectTool(
            ToolEffects.Idempotent,
            async context => seen = await _store.FindToolCallAsync("t", context.IdempotencyKey, CancellationToken.None)
        );

        await RunAsync(tool, begin: true);

        Assert.NotNull(seen);
        Assert.Null(seen.Outcome);
        Assert.Equal("did it 1", (await _store.FindToolCallAsync("t", tool.Keys[0], CancellationToken.None))!.Outcome!.Content);
    }

    [Theory]
    [InlineData(ToolEffects.None)]
    [InlineData(ToolEffects.Idempotent)]
    public async Task A_call_in_flight_is_repeated_with_the_same_key(ToolEffects effects)
    {
        var tool = new EffectTool(effects, dieAt: 1);
        await DieAsync(tool);

        var outcome = await RunAsync(tool);

        Assert.Equal("done: did it 2", Answer(outcome));
        Assert.Equal(2, tool.Keys.Count);
        Assert.Single(tool.Keys.Distinct());
    }

    [Fact]
    public async Task For_a_call_that_must_not_be_repeated_a_person_is_asked()
    {
        var tool = new EffectTool(ToolEffects.Once, dieAt: 1);
        await DieAsync(tool);

        var asked = Assert.Single((await RunAsync(tool)).Interrupts);
        Assert.Equal("outcome_unknown", asked.Value.GetProperty("reason").GetString());
        Assert.Single(tool.Keys);

        var nonsense = Assert.Single((await RunAsync(tool, answer: (asked.Id, "perhaps"))).Interrupts);
        Assert.Contains("perhaps", nonsense.Value.GetProperty("note").GetString(), StringComparison.Ordinal);

        var outcome = await RunAsync(tool, answer: (nonsense.Id, "retry"));
        Assert.Equal("done: did it 2", Answer(outcome));
    }

    [Fact]
    public async Task A_second_crash_asks_again()
    {
        var tool = new EffectTool(ToolEffects.Once, dieAt: 2);
        tool.DieAlsoAt = 1;
        await DieAsync(tool);
        var first = Assert.Single((await RunAsync(tool)).Interrupts);

        await Assert.ThrowsAsync<DeadException>(() => RunAsync(tool, answer: (first.Id, "retry")));
        var second = Assert.Single((await RunAsync(tool)).Interrupts);

        Assert.NotEqual(first.Id, second.Id);
        Assert.Equal(2, tool.Keys.Count);
        Assert.Contains("unknown", Answer(await RunAsync(tool, answer: (second.Id, "unknown"))), StringComparison.Ordinal);
        Assert.Equal(2, tool.Keys.Count);
    }

    [Fact]
    public async Task The_model_is_informed_if_configured()
    {
        var tool = new EffectTool(ToolEffects.Once, dieAt: 1);
        await DieAsync(tool);

        var outcome = await RunAsync(tool, policy: UnknownOutcome.TellModel);

        Assert.True(outcome.IsFinished);
        Assert.Contains("is unknown", Answer(outcome), StringComparison.Ordinal);
        Assert.Single(tool.Keys);
    }

    private static string Answer(GraphOutcome outcome) => outcome.State.Get<MessageLog>(AgentState.Messages)!.Last!.Text;

    private async Task DieAsync(EffectTool tool) => await Assert.ThrowsAsync<DeadException>(() => RunAsync(tool, begin: true));

    private async Task<GraphOutcome> RunAsync(
        EffectTool tool,
        bool begin = false,
        (string Id, string Decision)? answer = null,
        UnknownOutcome policy = UnknownOutcome.Ask
    )
    {
        var spec = TestAgents.Scripted(
            "lead",
            """[{"tool_calls": [{"id": "c", "name": "effect", "args": {}}]}, {"text": "done: {{result:c}}"}]"""
        ) with
        {
            Tools = [tool],
        };
        using var session = new RunSession(
            new Run
            {
                ThreadId = "t",
                RunId = "r",
                DefinitionHash = "",
                Status = RunStatus.Running,
                Fence = ++_attempt,
                Attempt = _attempt,
            },
            new RunServices(_store, _events, TimeProvider.System) { UnknownOutcome = policy },
            new RunLimits()
        );
        if (answer is { } given)
        {
            session.Answers[given.Id] = JsonElement.Parse($"\"{given.Decision}\"");
        }
        GraphInput input = begin
            ? new GraphInput.Begin([new(AgentState.Messages, MessageUpdate.Append(Message.Human("h", "go")))])
            : GraphInput.Continue.Instance;
        try
        {
            return await Engine.RunAsync(AgentGraph.Build(spec, TestAgents.Models, []), session, input);
        }
        catch (FaultException fault) when (fault.InnerException is DeadException || fault.Code == "dead")
        {
            throw new DeadException();
        }
    }

    private sealed class DeadException : Exception;

    /// <summary>Records its calls, and throws in the middle of one as if its worker had died.</summary>
    private sealed class EffectTool(ToolEffects effects, Func<ToolContext, Task>? during = null, int dieAt = 0) : Tool
    {
        public EffectTool(ToolEffects effects, int dieAt)
            : this(effects, null, dieAt) { }

        public List<string> Keys { get; } = [];

        public int DieAlsoAt { get; set; }

        public override string Name => "effect";

        public override string Description => "Does something to the world.";

        public override JsonElement Parameters { get; } = JsonElement.Parse("""{"type": "object"}""");

        public override ToolEffects Effects => effects;

        public override async ValueTask<ToolResult> InvokeAsync(
            JsonElement arguments,
            ToolContext context,
            CancellationToken cancellationToken
        )
        {
            Keys.Add(context.IdempotencyKey);
            if (during is not null)
            {
                await during(context);
            }
            return Keys.Count == dieAt || Keys.Count == DieAlsoAt
                ? throw new FaultException("dead", "the worker is dead")
                : $"did it {Keys.Count}";
        }
    }
}
