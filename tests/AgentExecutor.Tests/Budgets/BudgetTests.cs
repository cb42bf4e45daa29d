using System.Text;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Graphs.Definitions;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;

namespace AgentExecutor.Tests.Budgets;

/// <summary>Runs of definitions with budgets, on the in-memory store: of the scripted model each token costs a thousandth of a dollar.</summary>
public sealed class BudgetTests
{
    private static readonly Dictionary<string, JsonElement> NoAnswers = [];

    private static readonly PriceTable Prices = PriceTable.Shipped.With(
        """{"models": {"scripted:dear": {"input": 1000, "output": 1000}, "scripted:cheap": {"input": 1, "output": 1}}}"""u8);

    private readonly InMemoryCheckpointStore _store = new();
    private readonly KeptEvents _events = new();

    [Fact]
    public async Task The_usage_says_what_each_agent_used_of_which_model_and_what_it_cost()
    {
        var outcome = await StartAsync(
            """
            {"nodes": [
              {"id": "boss", "type": "orchestrator", "config": {"model": {"provider": "scripted", "model": "dear", "script": [
                {"tool_calls": [{"name": "task", "args": {"description": "dig", "subagent_type": "digger"}}], "usage": {"input_tokens": 10, "output_tokens": 2}},
                {"text": "done", "usage": {"input_tokens": 20, "output_tokens": 3}}]}}},
              {"id": "digger", "type": "specialist", "config": {"description": "digs", "model": {"provider": "scripted", "model": "unknown-to-us", "script": [
                {"text": "dug", "usage": {"input_tokens": 7, "output_tokens": 1}}]}}}]}
            """,
            prices: PriceTable.Shipped.With("""{"models": {"scripted:dear": {"input": 1000, "output": 1000}}}"""u8));

        Assert.Equal(
            [new ModelUsage("boss", "scripted:dear", 2, new TokenUsage(30, 5), 0.035m), new ModelUsage("digger", "scripted:unknown-to-us", 1, new TokenUsage(7, 1), 0)],
            outcome.Run.Usage.ByModel);
        Assert.Equal((0.035m, 3, 0), (outcome.Run.Usage.CostUsd, outcome.Run.Usage.ModelCalls, outcome.Run.Usage.UnpricedCalls));
        Assert.Contains(
            """
            "cost_usd":0.035,"by_model":[{"agent":"boss","model":"scripted:dear","calls":2,"input_tokens":30,"output_tokens":5,
            """,
            Encoding.UTF8.GetString(RunResult.Encode(outcome.Run, outcome.State, [])), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_used_is_read_back_as_it_was_stored()
    {
        var usage = new RunUsage(1, 2, 3, new TokenUsage(40, 5, 6, 1, 7), 1.5)
        {
            CostUsd = 0.000_000_000_125m,
            UnpricedCalls = 1,
            ByModel = [new ModelUsage("a", "openai:x", 1, new TokenUsage(40, 5, 6, 1, 7), 0.000_000_000_125m), new ModelUsage("a", "openai:y", 1, default, null)],
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
        Assert.Contains("a larger budget.run", failure.Hint, StringComparison.Ordinal);
        Assert.InRange(outcome.Run.Usage.Tokens.Total, 1_500, 5_000);
    }

    [Fact]
    public async Task Money_is_a_budget_as_tokens_are()
    {
        var outcome = await StartAsync(Looping("""{"run": {"cost_usd": 5.0}}""", tokens: 1_500));

        Assert.Equal(FaultCodes.BudgetExhausted, outcome.Run.Failure!.Code);
        Assert.Contains("of $5.00 are spent, and it may cost", outcome.Run.Failure.Message, StringComparison.Ordinal);
        Assert.InRange(outcome.Run.Usage.CostUsd, 1.5m, 5m);
    }

    [Theory]
    [InlineData("""{"max_tokens": 5000}""", FaultCodes.TokenLimit)]
    [InlineData("""{"max_cost_usd": 5}""", FaultCodes.CostLimit)]
    public async Task Limits_hold_as_budgets_do_and_ask_nobody(string limits, string code)
    {
        var outcome = await StartAsync(Looping("""{"run": {"tokens": 1000000}, "on_exhausted": "interrupt"}""", tokens: 1_500, limits));

        Assert.Equal((RunStatus.Failed, code), (outcome.Run.Status, outcome.Run.Failure!.Code));
        Assert.InRange(outcome.Run.Usage.Tokens.Total, 1_500, 5_000);
    }

    [Fact]
    public async Task Near_its_end_an_answer_is_no_longer_than_the_budget_allows()
    {
        using var session = Session(new BudgetPolicy { Run = new BudgetLimit(20_000, null) });

        using var free = await session.Budget.ReserveAsync(new PlannedCall("a", Dear, "1", 1_000), Cancel);
        free.Settle(new TokenUsage(9_000, 3_000), isAnswer: true);
        using var bounded = await session.Budget.ReserveAsync(new PlannedCall("a", Dear, "2", 1_000), Cancel);
        bounded.Settle(new TokenUsage(1_000, 500), isAnswer: true);
        using var small = await session.Budget.ReserveAsync(new PlannedCall("a", Dear with { MaxTokens = 500 }, "3", 1_000), Cancel);
        small.Settle(new TokenUsage(6_000, 0), isAnswer: true);

        Assert.Equal((null, 7_000, 500), (free.MaxOutputTokens, bounded.MaxOutputTokens, small.MaxOutputTokens));
        Assert.Equal((true, false, true), (free.Bound is null, bounded.Bound is null, small.Bound is null));
        await Assert.ThrowsAsync<BudgetException>(async () => await session.Budget.ReserveAsync(new PlannedCall("a", Dear, "4", 300), Cancel));
    }

    [Fact]
    public async Task A_call_waits_for_what_others_have_reserved_and_may_not_use()
    {
        using var session = Session(new BudgetPolicy { Run = new BudgetLimit(20_000, null) });
        using var first = await session.Budget.ReserveAsync(new PlannedCall("a", Dear, "1", 1_000), Cancel);

        var second = session.Budget.ReserveAsync(new PlannedCall("b", Dear, "2", 1_000), Cancel).AsTask();
        Assert.False(second.IsCompleted);
        first.Settle(new TokenUsage(1_000, 100), isAnswer: true);

        using var granted = await second.WaitAsync(Eventually.Limit, Cancel);
        Assert.Null(granted.MaxOutputTokens);
    }

    [Fact]
    public async Task A_shared_budget_is_waited_for_too()
    {
        var policy = new BudgetPolicy { Definition = new BudgetLimit(20_000, null) };
        using var one = Session(policy, "one");
        using var other = Session(policy, "other");
        using var first = await one.Budget.ReserveAsync(new PlannedCall("a", Dear, "1", 1_000), Cancel);

        var second = other.Budget.ReserveAsync(new PlannedCall("b", Dear, "1", 1_000), Cancel).AsTask();
        Assert.False(second.IsCompleted);
        first.Settle(new TokenUsage(1_000, 100), isAnswer: true);
        await one.CommitAsync((run, _) => new RunChange(run, []), Cancel);

        using var granted = await second.WaitAsync(Eventually.Limit, Cancel);
        Assert.Equal(1_100, (await _store.Budgets.FindAsync(new BudgetKey("looper", "total"), Cancel)).Spent.Tokens);
    }

    [Fact]
    public async Task A_call_that_is_made_again_by_the_same_name_is_counted_as_well()
    {
        using var session = Session(new BudgetPolicy { Definition = new BudgetLimit(100_000, null) });

        (await session.Budget.ReserveAsync(new PlannedCall("a", Dear, "1", 1_000), Cancel)).Dispose();
        (await session.Budget.ReserveAsync(new PlannedCall("a", Dear, "1", 1_000), Cancel)).Settle(new TokenUsage(1_000, 100), isAnswer: true);
        await session.CommitAsync((run, _) => new RunChange(run, []), Cancel);

        Assert.Equal(new BudgetBalance(new Spending(1_100, 1.1m), default), await _store.Budgets.FindAsync(new BudgetKey("looper", "total"), Cancel));
    }

    [Fact]
    public async Task What_a_dead_worker_left_reserved_goes_when_the_run_ends_whoever_ends_it()
    {
        var policy = new BudgetPolicy { Definition = new BudgetLimit(100_000, null) };
        using var dies = Session(policy);
        using var lost = await dies.Budget.ReserveAsync(new PlannedCall("a", Dear, "1", 1_000), Cancel);
        using var ends = new RunSession(dies.Run with { Fence = 2, Attempt = 2 }, Services(Prices), new RunLimits());

        await ends.CommitAsync(Core.Runs.Transitions.Cancel.Apply, Cancel);

        Assert.Equal(default, (await _store.Budgets.FindAsync(new BudgetKey("looper", "total"), Cancel)).Reserved);
    }

    [Fact]
    public async Task A_call_that_failed_and_cost_something_is_counted_as_cost_and_not_as_a_call()
    {
        using var session = Session(new BudgetPolicy { Run = new BudgetLimit(100_000, null) });
        using var call = await session.Budget.ReserveAsync(new PlannedCall("a", Dear, "1", 1_000), Cancel);

        call.Settle(new TokenUsage(1_000, 0), isAnswer: false);
        call.Settle(new TokenUsage(1_000, 0), isAnswer: false);

        Assert.Equal((0, 1_000, 1m), (session.Usage.Current.ModelCalls, session.Usage.Current.Tokens.Total, session.Usage.Current.CostUsd));
    }

    [Fact]
    public async Task Parallel_calls_together_stay_within_the_budget()
    {
        using var session = Session(new BudgetPolicy { Run = new BudgetLimit(20_000, null) });

        var asked = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => Task.Run(
            async () =>
            {
                try
                {
                    using var call = await session.Budget.ReserveAsync(new PlannedCall("a", Dear with { MaxTokens = 1_000 }, $"{i}", 1_000), Cancel);
                    await Task.Yield();
                    call.Settle(new TokenUsage(1_000, 1_000), isAnswer: true);
                    return true;
                }
                catch (BudgetException)
                {
                    return false;
                }
            }, Cancel)));

        Assert.Equal((10, 20_000), (asked.Count(static it => it), session.Usage.Spent.Tokens));
    }

    [Fact]
    public async Task A_person_is_asked_raises_the_budget_and_the_run_goes_on()
    {
        var definition = Looping("""{"run": {"tokens": 5000}, "on_exhausted": "interrupt"}""", tokens: 1_500, last: 4);
        var waiting = await StartAsync(definition);
        Assert.Equal(RunStatus.Interrupted, waiting.Run.Status);
        var question = waiting.Interrupts[0].Value;
        Assert.Equal(("budget_exhausted", "run", 5000), (question.GetProperty("reason").GetString(), question.GetProperty("scope").GetString(), question.GetProperty("budget").GetProperty("tokens").GetInt64()));

        foreach (var wrong in (string[])["""{"decision": "raise", "tokens": -1}""", """{"decision": "raise", "token": 20000}""", """{"decision": "raise", "cost_usd": 3}"""])
        {
            var asked = await ResumeAsync(wrong);
            Assert.Contains("neither", asked.Interrupts[0].Value.GetProperty("note").GetString(), StringComparison.Ordinal);
        }
        var done = await ResumeAsync("""{"decision": "raise", "tokens": 20000}""");

        Assert.Equal((RunStatus.Completed, "done", 5), (done.Run.Status, done.Output, done.Run.Usage.ModelCalls));
    }

    [Fact]
    public async Task A_raise_without_an_amount_doubles_the_budget_and_a_stop_fails_the_run()
    {
        var definition = Looping("""{"run": {"tokens": 4000}, "on_exhausted": "interrupt"}""", tokens: 1_500, last: 100);
        await StartAsync(definition);

        var again = await ResumeAsync("\"raise\"");
        Assert.Equal((RunStatus.Interrupted, 8_000), (again.Run.Status, again.Interrupts[0].Value.GetProperty("budget").GetProperty("tokens").GetInt64()));
        var stopped = await ResumeAsync("\"stop\"");

        Assert.Equal((RunStatus.Failed, FaultCodes.BudgetExhausted), (stopped.Run.Status, stopped.Run.Failure!.Code));
    }

    [Fact]
    public async Task A_cheaper_model_goes_on_within_the_limits()
    {
        var switching = """{"run": {"cost_usd": 5}, "on_exhausted": "switch", "switch_to": {"provider": "scripted", "model": "cheap", "script": SCRIPT}}""";

        var done = await StartAsync(Looping(switching, tokens: 1_500, last: 6));

        Assert.Equal((RunStatus.Completed, "done"), (done.Run.Status, done.Output));
        Assert.Equal(["scripted:dear", "scripted:cheap"], done.Run.Usage.ByModel.Select(it => it.Model));
        Assert.InRange(done.Run.Usage.ByModel[0].CostUsd!.Value, 1.5m, 5m);
        Assert.Equal(7, done.Run.Usage.ModelCalls);

        var limited = await StartAsync(Looping(switching, tokens: 1_500, """{"max_tokens": 12000}""", last: 100), thread: "limited");

        Assert.Equal(FaultCodes.TokenLimit, limited.Run.Failure!.Code);
    }

    [Fact]
    public async Task An_answer_that_the_budget_cut_is_none()
    {
        var outcome = await StartAsync(
            """
            {"name": "cut", "budget": {"run": {"tokens": 20000}}, "nodes": [{"id": "a", "type": "agent", "model": {"provider": "scripted", "model": "dear", "script": [
              {"tool_calls": [{"name": "ls"}], "usage": {"input_tokens": 15000, "output_tokens": 0}},
              {"text": "it breaks off in the", "finish_reason": "length", "usage": {"input_tokens": 500, "output_tokens": 3000}}]}}]}
            """);

        Assert.Equal((FaultCodes.BudgetExhausted, 18_500), (outcome.Run.Failure!.Code, outcome.Run.Usage.Tokens.Total));
        Assert.Single(_events.Of<RunEvent.LlmSuperseded>());
        Assert.DoesNotContain("breaks off", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_budget_of_a_thread_covers_all_its_runs()
    {
        var definition = """{"name": "once", "nodes": [{"id": "a", "type": "agent", "model": {"provider": "scripted", "model": "dear", "script": [{"when": {}, "text": "x", "usage": {"input_tokens": 1500, "output_tokens": 0}}]}}], "budget": {"thread": {"tokens": 5000}}}""";

        Assert.Equal(RunStatus.Completed, (await StartAsync(definition, run: "r1")).Run.Status);
        Assert.Equal(RunStatus.Completed, (await StartAsync(definition, run: "r2")).Run.Status);
        Assert.Equal(RunStatus.Completed, (await StartAsync(definition, run: "r3")).Run.Status);
        var last = await StartAsync(definition, run: "r4");

        Assert.Equal((RunStatus.Failed, FaultCodes.BudgetExhausted), (last.Run.Status, last.Run.Failure!.Code));
        Assert.Equal((0, 4_500), (last.Run.Usage.Tokens.Total, last.Run.Usage.Earlier.Tokens));
        Assert.Equal(RunStatus.Completed, (await StartAsync(definition, thread: "another")).Run.Status);
    }

    [Fact]
    public async Task The_budget_of_a_definition_covers_all_threads_and_nothing_stays_reserved()
    {
        var definition = Looping("""{"definition": {"tokens": 5000, "per": "total"}}""", tokens: 1_500, last: 1);

        Assert.Equal(RunStatus.Completed, (await StartAsync(definition, thread: "a")).Run.Status);
        var second = await StartAsync(definition, thread: "b");

        Assert.Equal((RunStatus.Failed, FaultCodes.BudgetExhausted), (second.Run.Status, second.Run.Failure!.Code));
        Assert.Contains("the budget of the definition", second.Run.Failure.Message, StringComparison.Ordinal);
        var balance = await _store.Budgets.FindAsync(new BudgetKey("looper", "total"), Cancel);
        Assert.Equal((new Spending(4_500, 4.5m), default(Spending)), (balance.Spent, balance.Reserved));
    }

    [Theory]
    [InlineData("""{"run": {}}""", "missing_field", "$.budget.run")]
    [InlineData("""{"run": {"tokens": 0}}""", "invalid_limit", "$.budget.run.tokens")]
    [InlineData("""{"thread": {"cost_usd": -1}}""", "invalid_limit", "$.budget.thread.cost_usd")]
    [InlineData("""{"definition": {"tokens": 5, "per": "week"}}""", "wrong_value", "$.budget.definition.per")]
    [InlineData("""{"run": {"tokens": 5}, "on_exhausted": "explode"}""", "wrong_value", "$.budget.on_exhausted")]
    [InlineData("""{"run": {"tokens": 5}, "on_exhausted": "switch"}""", "missing_field", "$.budget.switch_to")]
    [InlineData("""{"run": {"tokens": 5}, "switch_to": "scripted:x"}""", "wrong_value", "$.budget.on_exhausted")]
    [InlineData("""{"run": {"tokens": 5}, "on_exhausted": "switch", "switch_to": "merlin:x"}""", "unknown_provider", "$.budget.switch_to")]
    [InlineData("""{"run": {"tokens": 5}, "on_exhausted": "switch", "switch_to": "scripted:x"}""", "invalid_model", "$.budget.switch_to.script")]
    [InlineData("""{"run": "much"}""", "wrong_type", "$.budget.run")]
    [InlineData("""{"run": {"tokens": 5, "costs": 1}}""", "unknown_field", "$.budget.run.costs")]
    [InlineData("""{"run": {"tokens": 5}, "on_exhausted": "switch", "switch_to": {"provider": "scripted", "model": "x", "script": [{"text": "x"}], "max_tokens": 0}}""", "invalid_limit", "$.budget.switch_to.max_tokens")]
    public void A_fault_of_a_budget_is_found_with_its_code_and_path(string budget, string code, string path)
    {
        var source = DefinitionReader.Read(Encoding.UTF8.GetBytes(Looping(budget)));

        var faults = DefinitionValidator.Validate(source, Environment(Prices));

        Assert.Contains((code, path), faults.Where(it => !it.IsWarning).Select(it => (it.Code, it.Path)));
    }

    [Fact]
    public void A_budget_in_money_needs_prices_and_one_of_a_definition_its_name()
    {
        var source = DefinitionReader.Read(Encoding.UTF8.GetBytes(
            """
            {"nodes": [{"id": "a", "type": "agent", "model": {"provider": "scripted", "model": "m", "script": [{"text": "x"}]}}],
             "budget": {"run": {"cost_usd": 1}, "definition": {"tokens": 5}}}
            """));
        var unpriced = PriceTable.Empty;

        var faults = DefinitionValidator.Validate(source, Environment(unpriced));

        Assert.Equal([("unknown_price", "$.nodes[0].model"), ("missing_field", "$.name")], faults.Select(it => (it.Code, it.Path)).OrderByDescending(it => it.Code));
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static DefinitionEnvironment Environment(PriceTable prices) => new(TestAgents.Models, new ToolCatalog([]), new RunLimits()) { Prices = prices };

    private static Core.ModelProviders.ModelSpec Dear { get; } = new() { Provider = "scripted", Model = "dear" };

    private RunSession Session(BudgetPolicy budget, string thread = "t") => new(
        new Run { ThreadId = thread, RunId = "r", Name = "looper", DefinitionHash = "", Status = RunStatus.Running, Fence = 1, Attempt = 1 },
        Services(Prices), new RunLimits(), budget: budget);

    private RunServices Services(PriceTable prices) => new(_store, _events, TimeProvider.System) { Prices = prices, Budgets = _store.Budgets };

    private RunExecutor Executor(PriceTable prices) => new(Services(prices), _store, new CompiledAgents(Environment(prices)));

    private Task<RunOutcome> StartAsync(string definition, string thread = "t", string run = "r1", PriceTable? prices = null) => Executor(prices ?? Prices).StartAsync(
        new RunRequest(thread, run, Encoding.UTF8.GetBytes(definition), Engine.Json("""{"user_request": "go"}""")), default);

    private Task<RunOutcome> ResumeAsync(string answer) => Executor(Prices).ResumeAsync("t", new Dictionary<string, JsonElement> { [""] = Engine.Json(answer) }, default);

    /// <summary>An agent that calls a tool in each turn, and ends after so many.</summary>
    private static string Looping(string budget, int tokens = 10, string limits = "{}", int last = 100)
    {
        var script = $$$"""
            [{"when": {"turn": {{{last}}}}, "text": "done", "usage": {"input_tokens": {{{tokens}}}, "output_tokens": 0}},
             {"when": {}, "tool_calls": [{"name": "ls", "args": {}}], "usage": {"input_tokens": {{{tokens}}}, "output_tokens": 0}}]
            """;
        return """{"name": "looper", "nodes": [{"id": "a", "type": "orchestrator", "config": {"model": {"provider": "scripted", "model": "dear", "script": SCRIPT}}}], "limits": LIMITS, "budget": BUDGET}"""
            .Replace("BUDGET", budget, StringComparison.Ordinal).Replace("SCRIPT", script, StringComparison.Ordinal).Replace("LIMITS", limits, StringComparison.Ordinal);
    }
}
