using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;

namespace AgentExecutor.Tests.Tools;

/// <summary>Tools return changes of the state together with their results.</summary>
public sealed class ToolUpdateTests
{
    private readonly InMemoryCheckpointStore _store = new();
    private int _attempt;
    private string _key = "";

    [Fact]
    public async Task An_update_goes_through_the_reducer_of_its_channel()
    {
        var outcome = await RunAsync(new UpdatingTool("[\"items\", [1, 2]]", "[\"count\", 3]", "[\"count\", 4]"));

        Assert.Equal("[1,2]", Value(outcome, "items"));
        Assert.Equal("7", Value(outcome, "count"));
    }

    [Fact]
    public async Task Messages_of_an_update_follow_the_answer_to_the_call()
    {
        var outcome = await RunAsync(new UpdatingTool("""["messages", [{"type": "human", "content": "also"}]]"""));

        Assert.Equal(
            ["go", "", "did it", "also", "done"],
            outcome.State.Get<MessageLog>(AgentState.Messages)!.Select(message => message.Text)
        );
    }

    [Fact]
    public async Task Messages_of_parallel_calls_follow_all_answers_and_do_not_end_the_turn()
    {
        var tool = new UpdatingTool("""["messages", [{"type": "human", "content": "h"}, {"type": "ai", "content": "a"}]]""");

        var outcome = await RunAsync(
            tool,
            script: """
            [{"when": {"last_contains": "a"}, "text": "done"},
             {"tool_calls": [{"id": "c1", "name": "update", "args": {}}, {"id": "c2", "name": "update", "args": {}}]}]
            """
        );

        Assert.Equal(
            ["go", "", "did it", "did it", "h", "a", "h", "a", "done"],
            outcome.State.Get<MessageLog>(AgentState.Messages)!.Select(message => message.Text)
        );
    }

    [Theory]
    [InlineData("""["nowhere", 1]""", "there is no channel 'nowhere'; the channels are messages, files, todos, items, count")]
    [InlineData("""["count", "many"]""", "expects a number")]
    [InlineData("""["files", {"/../x": "text"}]""", "contains '..'")]
    public async Task An_update_that_a_channel_refuses_is_an_error_for_the_model(string update, string message)
    {
        var outcome = await RunAsync(new UpdatingTool("[\"items\", [1]]", update));

        var answer = outcome.State.Get<MessageLog>(AgentState.Messages)!.Single(it => it.Type == MessageType.Tool);
        Assert.True(answer.IsError);
        Assert.Contains(message, answer.Text, StringComparison.Ordinal);
        Assert.Equal("", Value(outcome, "items")); // nothing of the update was applied
    }

    [Fact]
    public async Task A_call_whose_outcome_is_known_is_not_repeated_and_its_update_is_applied_once()
    {
        using (var stop = new CancellationTokenSource())
        {
            var first = new UpdatingTool("[\"items\", [1]]") { After = stop.Cancel };
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(first, cancellationToken: stop.Token));
            Assert.Equal(1, first.Calls);
        }
        await StoreOutcomeAsync();
        var second = new UpdatingTool("[\"items\", [2]]");

        var outcome = await RunAsync(second, begin: false);

        Assert.Equal(0, second.Calls);
        Assert.Equal("[1]", Value(outcome, "items"));
        Assert.Contains(outcome.State.Get<MessageLog>(AgentState.Messages)!, message => message.Text == "did it");
    }

    /// <summary>Stores what the worker's next commit would have stored.</summary>
    private async Task StoreOutcomeAsync()
    {
        var call = (await _store.FindToolCallAsync("t", _key, CancellationToken.None))!;
        Assert.Null(call.Outcome);
        await _store.CommitAsync(
            new StepCommit
            {
                ThreadId = "t",
                Fence = 1,
                ToolCalls =
                [
                    call with
                    {
                        Outcome = new StoredOutcome("did it", false, DateTimeOffset.UnixEpoch) { Updates = """[["items",[1]]]""" },
                    },
                ],
            },
            CancellationToken.None
        );
    }

    private static string Value(GraphOutcome outcome, string channel) =>
        new StateView(outcome.State).Json(channel) is { ValueKind: not JsonValueKind.Undefined } json ? json.GetRawText() : "";

    private async Task<GraphOutcome> RunAsync(
        UpdatingTool tool,
        bool begin = true,
        string script = """[{"tool_calls": [{"id": "c", "name": "update", "args": {}}]}, {"text": "done"}]""",
        CancellationToken cancellationToken = default
    )
    {
        tool.Seen = key => _key = key;
        var spec = TestAgents.Scripted("lead", script) with { Tools = [tool] };
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
            new RunServices(_store, new KeptEvents(), TimeProvider.System),
            new RunLimits()
        );
        GraphInput input = begin
            ? new GraphInput.Begin([new(AgentState.Messages, MessageUpdate.Append(Message.Human("h", "go")))])
            : GraphInput.Continue.Instance;
        var graph = AgentGraph.Build(spec, TestAgents.Models, [new AppendChannel("items"), new SumChannel("count")]);
        return await new GraphRunner(graph, GraphScope.Root(session)).RunAsync(input, cancellationToken);
    }

    private sealed class UpdatingTool(params string[] updates) : Tool
    {
        public int Calls { get; private set; }

        public Action? After { get; init; }

        public Action<string>? Seen { get; set; }

        public override string Name => "update";

        public override string Description => "Changes the state.";

        public override JsonElement Parameters { get; } = JsonElement.Parse("""{"type": "object"}""");

        public override ToolEffects Effects => ToolEffects.Once;

        public override ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
        {
            Calls++;
            Seen?.Invoke(context.IdempotencyKey);
            After?.Invoke();
            cancellationToken.ThrowIfCancellationRequested();
            var changes = updates.Select(update => JsonElement.Parse(update)).Select(it => new ToolUpdate(it[0].GetString()!, it[1]));
            return ValueTask.FromResult(new ToolResult("did it") { Updates = changes.ToImmutableArray() });
        }
    }
}
