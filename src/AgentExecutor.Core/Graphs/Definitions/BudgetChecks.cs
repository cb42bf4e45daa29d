using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>Checks of <c>budget</c>.</summary>
internal static class BudgetChecks
{
    private const double MostDollars = 1e9;
    private const string Path = "$.budget";
    private const string Switch = "switch";

    public static IEnumerable<DefinitionFault> Check(AgentDefinition definition, DefinitionEnvironment environment) => definition.Budget is not { } budget ? [] :
    [
        .. CheckAmount(budget.Run, $"{Path}.run"),
        .. CheckAmount(budget.Thread, $"{Path}.thread"),
        .. CheckAmount(budget.Definition, $"{Path}.definition"),
        .. CheckChoice(budget.Definition?.Per, $"{Path}.definition.per", Enum.GetNames<BudgetPeriod>()),
        .. CheckChoice(budget.OnExhausted, $"{Path}.on_exhausted", Enum.GetNames<BudgetExhaustion>()),
        .. CheckName(definition, budget),
        .. CheckSwitch(budget, environment),
    ];

    /// <summary>A budget in money needs to know what the model costs.</summary>
    public static IEnumerable<DefinitionFault> CheckPrice(BudgetDefinition? budget, ModelSpec model, string path, DefinitionEnvironment environment)
    {
        if ((budget?.Run?.CostUsd ?? budget?.Thread?.CostUsd ?? budget?.Definition?.CostUsd) is not null && environment.Prices.Find(model) is null)
        {
            yield return new DefinitionFault(
                DefinitionCodes.UnknownPrice, path, $"there is a budget in dollars, and no price of '{model}'", "name its price in the file of AGENT_EXECUTOR_PRICES_FILE, or set the budget in tokens");
        }
    }

    private static IEnumerable<DefinitionFault> CheckAmount(SpendingDefinition? amount, string path)
    {
        if (amount is { Tokens: null, CostUsd: null })
        {
            yield return new DefinitionFault(DefinitionCodes.MissingField, path, "it bounds nothing", "name 'tokens', 'cost_usd' or both");
        }
        if (amount?.Tokens < 1)
        {
            yield return new DefinitionFault(DefinitionCodes.InvalidLimit, $"{path}.tokens", $"{amount.Tokens} is below 1", "raise it");
        }
        if (amount?.CostUsd is not null and not (> 0 and <= MostDollars))
        {
            yield return new DefinitionFault(DefinitionCodes.InvalidLimit, $"{path}.cost_usd", FormattableString.Invariant($"{amount.CostUsd} is not above 0 and at most {MostDollars}"), "choose a number between");
        }
    }

    private static IEnumerable<DefinitionFault> CheckChoice(string? value, string path, IEnumerable<string> names)
    {
        var known = names.Select(name => name.ToLowerInvariant()).ToList();
        if (value is not null && !known.Contains(value))
        {
            yield return new DefinitionFault(DefinitionCodes.WrongValue, path, $"'{value}' is none of {string.Join(", ", known)}", Spelling.Hint(value, known, "values"));
        }
    }

    /// <summary>The name is what such runs have in common.</summary>
    private static IEnumerable<DefinitionFault> CheckName(AgentDefinition definition, BudgetDefinition budget)
    {
        if (budget.Definition is not null && string.IsNullOrWhiteSpace(definition.Name))
        {
            yield return new DefinitionFault(DefinitionCodes.MissingField, "$.name", "a budget of the definition needs the definition's name", "add 'name'");
        }
    }

    private static IEnumerable<DefinitionFault> CheckSwitch(BudgetDefinition budget, DefinitionEnvironment environment)
    {
        const string To = $"{Path}.switch_to";
        if ((budget.OnExhausted == Switch) != (budget.SwitchTo is not null))
        {
            yield return budget.SwitchTo is null
                ? new DefinitionFault(DefinitionCodes.MissingField, To, "nothing says what to switch to", """name a cheaper model, as in "switch_to": "provider:model" """.TrimEnd())
                : new DefinitionFault(DefinitionCodes.WrongValue, $"{Path}.on_exhausted", "'switch_to' is never used", """write "on_exhausted": "switch", or remove it""");
        }
        foreach (var fault in budget.SwitchTo is { } to ? ModelChecks.Check(to, To, budget, environment) : [])
        {
            yield return fault;
        }
    }
}
