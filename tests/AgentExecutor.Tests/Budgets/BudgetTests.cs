using System.Text;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;

namespace AgentExecutor.Tests.Budgets;

/// <summary>
/// Runs definitions with budgets on the in-memory store. Each token of the scripted model costs a thousandth of a dollar.
/// </summary>
public sealed class BudgetTests
{
    private static readonly Dictionary<string, JsonElement> NoAnswers = [];

    private static readonly PriceTable Prices = PriceTable.Shipped.With(
        """{"models": {"scripted:dear": {"input": 1000, "output": 1000}, "scripted:cheap": {"input": 1, "output": 1}}}"""u8
    );

    private readonly InMemoryCheckpointStore _store = new();
    private readonly KeptEvents _events = new();

    [Fact]
    public async Task The_usage_lists_calls_tokens_and_cost_by_agent_and_model()
    {
        var outcome = await StartAsync(
            """
            {"nodes": [
              {"id": "boss", "type": "orchestrator", "config": {"model": {"provider": "scripted", "model": "dear", "script": [
                {"tool_calls": [{"name": "task", "args": {"description": "dig", "subagent_type": "digger"}}],
                 "usage": {"input_tokens": 10, "output_tokens": 2}},
                {"text": "done", "usage": {"input_tokens": 20, "output_tokens": 3}}]}}},
              {"id": "digger", "type": "specialist", "config": {"description": "digs",
               "model": {"provider": "scripted", "model": "unknown-to-us", "script": [
                {"text": "dug", "usage": {"input_tokens": 7, "output_tokens": 1}}]}}}]}
            """,
            prices: PriceTable.Shipped.With("""{"models": {"scripted:dear": {"input": 1000, "output": 1000}}}"""u8)
        );

        Assert.Equal(
            [
                new ModelUsage("boss", "scripted:dear", 2, new TokenUsage(30, 5), 0.035m),
                new ModelUsage("digger", "scripted:unknown-to-us", 1, new TokenUsage(7, 1), 0),
            ],
            outcome.Run.Usage.ByModel
        );
        Assert.Equal((0.035m, 3, 0), (outcome.Run.Usage.CostUsd, outcome.Run.Usage.ModelCalls, outcome.Run.Usage.UnpricedCalls));
        Assert.Contains(
            """
            "cost_usd":0.035,"by_model":[{"agent":"boss","model":"scripted:dear","calls":2,"input_tokens":30,"output_tokens":5,
            """,
            Encoding.UTF8.GetString(RunResult.Encode(outcome.Run, outcome.State, [])),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Stored_usage_is_read_back_unchanged()
    {
        var usage = new RunUsage(1, 2, 3, new TokenUsage(40, 5, 6, 1, 7), 1.5)
        {
            CostUsd = 0.000_000_000_125m,
            UnpricedCalls = 1,
            ByModel =
            [
                new ModelUsage("a", "openai:x", 1, new TokenUsage(40, 5, 6, 1, 7), 0.000_000_000_125m),
                new ModelUsage("a", "openai:y", 1, default, null),
            ],
            Earlier = new Spending(9, 1.25m),
            Raises = [new BudgetRaise("task:budget-0", BudgetScope.Thread, new Spending(0, 2m))],
        };

        Assert.Equal(RunJson.WriteUsage(usage), RunJson.WriteUsage(RunJson.ReadUsage(JsonElement.Parse(RunJson.WriteUsage(usage)))));
        await Task.CompletedTask;
    }

    [Fact]
    public async Task A_run_fails_before_the_call_that_its_budget_does_not_cover()
    {
        var outcome = await StartAsync(Looping("""{"run": {"tokens": 5000}}""", tokens: 1_500));

        var failure = outcome.Run.Failure!;
        Assert.Equal((RunStatus.Failed, FaultCodes.BudgetExhausted), (outcome.Run.Status, failure.Code));
        Assert.Contains("the budget of the run does not cover another call of scripted:dear", failure.Message, StringComparison.Ordinal);
        Assert.Contains("a larger 'budget.run'", failure.Hint, StringComparison.Ordinal);
        Assert.InRange(outcome.Run.Usage.Tokens.Total, 1_500, 5_000);
    }

    [Fact]
    public async Task A_budget_can_limit_the_cost()
    {
        var outcome = await StartAsync(Looping("""{"run": {"cost_usd": 5.0}}""", tokens: 1_500));

        Assert.Equal(FaultCodes.BudgetExhausted, outcome.Run.Failure!.Code);
        Assert.Contains("of $5.00 are spent, and the call may cost", outcome.Run.Failure.Message, StringComparison.Ordinal);
        Assert.InRange(outcome.Run.Usage.CostUsd, 1.5m, 5m);
    }

    [Theory]
    [InlineData("""{"max_tokens": 5000}""", FaultCodes.TokenLimit)]
    [InlineData("""{"max_cost_usd": 5}""", FaultCodes.CostLimit)]
    public async Task Exceeding_a_limit_fails_the_run_without_asking(string limits, string code)
    {
        var outcome = await StartAsync(Looping("""{"run": {"tokens": 1000000}, "on_exhausted": "interrupt"}""", tokens: 1_500, limits));

        Assert.Equal((RunStatus.Failed, code), (outcome.Run.Status, outcome.Run.Failure!.Code));
        Assert.InRange(outcome.Run.Usage.Tokens.Total, 1_500, 5_000);
    }

    [Fact]
    public async Task The_run_continues_after_a_person_raises_the_budget()
    {
        var definition = Looping("""{"run": {"tokens": 5000}, "on_exhausted": "interrupt"}""", tokens: 1_500, last: 4);
        var waiting = await StartAsync(definition);
        Assert.Equal(RunStatus.Interrupted, waiting.Run.Status);
        var question = waiting.Interrupts[0].Value;
        Assert.Equal(
            ("budget_exhausted", "run", 5000),
            (
                question.GetProperty("reason").GetString(),
                question.GetProperty("scope").GetString(),
                question.GetProperty("budget").GetProperty("tokens").GetInt64()
            )
        );

        foreach (
            var wrong in (string[])
                [
                    """{"decision": "raise", "tokens": -1}""",
                    """{"decision": "raise", "token": 20000}""",
                    """{"decision": "raise", "cost_usd": 3}""",
                ]
        )
        {
            var asked = await ResumeAsync(wrong);
            Assert.Contains("neither", asked.Interrupts[0].Value.GetProperty("note").GetString(), StringComparison.Ordinal);
        }
        var done = await ResumeAsync("""{"decision": "raise", "tokens": 20000}""");

        Assert.Equal((RunStatus.Completed, "done", 5), (done.Run.Status, done.Output, done.Run.Usage.ModelCalls));
    }

    [Fact]
    public async Task Raising_without_an_amount_doubles_the_budget_and_stopping_fails_the_run()
    {
        var definition = Looping("""{"run": {"tokens": 4000}, "on_exhausted": "interrupt"}""", tokens: 1_500, last: 100);
        await StartAsync(definition);

        var again = await ResumeAsync("\"raise\"");
        Assert.Equal(
            (RunStatus.Interrupted, 8_000),
            (again.Run.Status, again.Interrupts[0].Value.GetProperty("budget").GetProperty("tokens").GetInt64())
        );
        var stopped = await ResumeAsync("\"stop\"");

        Assert.Equal((RunStatus.Failed, FaultCodes.BudgetExhausted), (stopped.Run.Status, stopped.Run.Failure!.Code));
    }

    [Fact]
    public async Task A_cheaper_model_continues_within_the_limits()
    {
        var switching = """
            {"run": {"cost_usd": 5}, "on_exhausted": "switch", "switch_to": {"provider": "scripted", "model": "cheap", "script": SCRIPT}}
            """;

        var done = await StartAsync(Looping(switching, tokens: 1_500, last: 6));

        Assert.Equal((RunStatus.Completed, "done"), (done.Run.Status, done.Output));
        Assert.Equal(["scripted:dear", "scripted:cheap"], done.Run.Usage.ByModel.Select(it => it.Model));
        Assert.InRange(done.Run.Usage.ByModel[0].CostUsd!.Value, 1.5m, 5m);
        Assert.Equal(7, done.Run.Usage.ModelCalls);

        var limited = await StartAsync(Looping(switching, tokens: 1_500, """{"max_tokens": 12000}""", last: 100), thread: "limited");

        Assert.Equal(FaultCodes.TokenLimit, limited.Run.Failure!.Code);
    }

    [Fact]
    public async Task An_answer_that_was_cut_off_by_the_budget_is_not_used()
    {
        var outcome = await StartAsync(
            """
            {"name": "cut", "budget": {"run": {"tokens": 20000}},
             "nodes": [{"id": "a", "type": "agent", "model": {"provider": "scripted", "model": "dear", "script": [
              {"tool_calls": [{"name": "ls"}], "usage": {"input_tokens": 14999, "output_tokens": 1}},
              {"text": "it breaks off in the", "finish_reason": "length", "usage": {"input_tokens": 500, "output_tokens": 3000}}]}}]}
            """
        );

        Assert.Equal((FaultCodes.BudgetExhausted, 18_500), (outcome.Run.Failure!.Code, outcome.Run.Usage.Tokens.Total));
        Assert.Single(_events.Of<RunEvent.LlmSuperseded>());
        Assert.DoesNotContain("breaks off", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_budget_of_a_thread_covers_all_its_runs()
    {
        var definition = """
            {"name": "once", "nodes": [{"id": "a", "type": "agent",
             "model": {"provider": "scripted", "model": "dear",
             "script": [{"when": {}, "text": "x", "usage": {"input_tokens": 1499, "output_tokens": 1}}]}}],
             "budget": {"thread": {"tokens": 5000}}}
            """;

        Assert.Equal(RunStatus.Completed, (await StartAsync(definition, run: "r1")).Run.Status);
        Assert.Equal(RunStatus.Completed, (await StartAsync(definition, run: "r2")).Run.Status);
        Assert.Equal(RunStatus.Completed, (await StartAsync(definition, run: "r3")).Run.Status);
        var last = await StartAsync(definition, run: "r4");

        Assert.Equal((RunStatus.Failed, FaultCodes.BudgetExhausted), (last.Run.Status, last.Run.Failure!.Code));
        Assert.Equal((0, 4_500), (last.Run.Usage.Tokens.Total, last.Run.Usage.Earlier.Tokens));
        Assert.Equal(RunStatus.Completed, (await StartAsync(definition, thread: "another")).Run.Status);
    }

    [Fact]
    public async Task The_budget_of_a_definition_covers_all_threads_and_all_reservations_are_released()
    {
        var definition = Looping("""{"definition": {"tokens": 5000, "per": "total"}}""", tokens: 1_500, last: 1);

        Assert.Equal(RunStatus.Completed, (await StartAsync(definition, thread: "a")).Run.Status);
        var second = await StartAsync(definition, thread: "b");

        Assert.Equal((RunStatus.Failed, FaultCodes.BudgetExhausted), (second.Run.Status, second.Run.Failure!.Code));
        Assert.Contains("the budget of the definition", second.Run.Failure.Message, StringComparison.Ordinal);
        var balance = await _store.Budgets.FindAsync(new BudgetKey("looper", "total"), Cancel);
        Assert.Equal((new Spending(4_500, 4.5m), default(Spending)), (balance.Spent, balance.Reserved));
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static DefinitionEnvironment Environment(PriceTable prices) =>
        new(TestAgents.Models, new ToolCatalog([]), new RunLimits()) { Prices = prices };

    private RunServices Services(PriceTable prices) =>
        new(_store, _events, TimeProvider.System) { Prices = prices, Budgets = _store.Budgets };

    private RunExecutor Executor(PriceTable prices) => new(Services(prices), _store, new CompiledAgents(Environment(prices)));

    private Task<RunOutcome> StartAsync(string definition, string thread = "t", string run = "r1", PriceTable? prices = null) =>
        Executor(prices ?? Prices)
            .StartAsync(
                new RunRequest(thread, run, Encoding.UTF8.GetBytes(definition), Engine.Json("""{"user_request": "go"}""")),
                default
            );

    private Task<RunOutcome> ResumeAsync(string answer) =>
        Executor(Prices).ResumeAsync("t", new Dictionary<string, JsonElement> { [""] = Engine.Json(answer) }, default);

    /// <summary>An agent that calls a tool in each turn and ends after the given number of turns.</summary>
    private static string Looping(string budget, int tokens = 10, string limits = "{}", int last = 100)
    {
        var script = $$$"""
            [{"when": {"turn": {{{last}}}}, "text": "done", "usage": {"input_tokens": {{{tokens - 1}}}, "output_tokens": 1}},
             {"when": {}, "tool_calls": [{"name": "ls", "args": {}}], "usage": {"input_tokens": {{{tokens - 1}}}, "output_tokens": 1}}]
            """;
        return """
            {"name": "looper", "nodes": [{"id": "a", "type": "orchestrator",
             "config": {"model": {"provider": "scripted", "model": "dear", "script": SCRIPT}}}], "limits": LIMITS, "budget": BUDGET}
            """.Replace("BUDGET", budget, StringComparison.Ordinal).Replace("SCRIPT", script, StringComparison.Ordinal).Replace(
            "LIMITS",
            limits,
            StringComparison.Ordinal
        );
    }
}
