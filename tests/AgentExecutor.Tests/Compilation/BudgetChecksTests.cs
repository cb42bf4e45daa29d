using System.Text;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;

namespace AgentExecutor.Tests.Compilation;

public sealed class BudgetChecksTests
{
    private const string Definition = """
        {"name": "looper", "nodes": [{"id": "a", "type": "orchestrator",
         "config": {"model": {"provider": "scripted", "model": "m", "script": [{"text": "x"}]}}}], "budget": BUDGET}
        """;

    [Theory]
    [InlineData("""{"run": {}}""", "missing_field", "$.budget.run")]
    [InlineData("""{"run": {"tokens": 0}}""", "invalid_limit", "$.budget.run.tokens")]
    [InlineData("""{"thread": {"cost_usd": -1}}""", "invalid_limit", "$.budget.thread.cost_usd")]
    [InlineData("""{"definition": {"tokens": 5, "per": "week"}}""", "wrong_value", "$.budget.definition.per")]
    [InlineData("""{"run": {"tokens": 5}, "on_exhausted": "explode"}""", "wrong_value", "$.budget.on_exhausted")]
    [InlineData("""{"run": {"tokens": 5}, "on_exhausted": "switch"}""", "missing_field", "$.budget.switch_to")]
    [InlineData("""{"run": {"tokens": 5}, "switch_to": "scripted:x"}""", "wrong_value", "$.budget.on_exhausted")]
    [InlineData("""{"run": {"tokens": 5}, "on_exhausted": "switch", "switch_to": "merlin:x"}""", "unknown_provider", "$.budget.switch_to")]
    [InlineData(
        """{"run": {"tokens": 5}, "on_exhausted": "switch", "switch_to": "scripted:x"}""",
        "invalid_model",
        "$.budget.switch_to.script"
    )]
    [InlineData("""{"run": "much"}""", "wrong_type", "$.budget.run")]
    [InlineData("""{"run": {"tokens": 5, "costs": 1}}""", "unknown_field", "$.budget.run.costs")]
    [InlineData(
        """
            {"run": {"tokens": 5}, "on_exhausted": "switch",
             "switch_to": {"provider": "scripted", "model": "x", "script": [{"text": "x"}], "max_tokens": 0}}
            """,
        "invalid_limit",
        "$.budget.switch_to.max_tokens"
    )]
    public void A_fault_in_a_budget_is_reported_with_its_code_and_path(string budget, string code, string path)
    {
        var source = DefinitionReader.Read(Encoding.UTF8.GetBytes(Definition.Replace("BUDGET", budget, StringComparison.Ordinal)));

        var faults = DefinitionValidator.Validate(source, Environment(PriceTable.Shipped));

        Assert.Contains((code, path), faults.Where(it => !it.IsWarning).Select(it => (it.Code, it.Path)));
    }

    [Fact]
    public void A_budget_in_dollars_requires_prices_and_a_budget_per_definition_requires_a_name()
    {
        var source = DefinitionReader.Read(
            Encoding.UTF8.GetBytes(
                """
                {"nodes": [{"id": "a", "type": "agent", "model": {"provider": "scripted", "model": "m", "script": [{"text": "x"}]}}],
                 "budget": {"run": {"cost_usd": 1}, "definition": {"tokens": 5}}}
                """
            )
        );
        var unpriced = PriceTable.Empty;

        var faults = DefinitionValidator.Validate(source, Environment(unpriced));

        Assert.Equal(
            [("unknown_price", "$.nodes[0].model"), ("missing_field", "$.name")],
            faults.Select(it => (it.Code, it.Path)).OrderByDescending(it => it.Code)
        );
    }

    private static DefinitionEnvironment Environment(PriceTable prices) =>
        new(TestAgents.Models, new ToolCatalog([]), new RunLimits()) { Prices = prices };
}
