using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Core.Compilation;

/// <summary>Checks <c>budget</c>.</summary>
internal static class BudgetChecks
{
    private const double MaxDollars = 1e9;
    private const string Path = "$.budget";
    private const string Switch = "switch";

    public static IEnumerable<DefinitionFault> Check(AgentDefinition definition, DefinitionEnvironment environment) =>
        definition.Budget is not { } budget
            ? []
            :
            [
                .. CheckAmount(budget.Run, $"{Path}.run"),
                .. CheckAmount(budget.Thread, $"{Path}.thread"),
                .. CheckAmount(budget.Definition, $"{Path}.definition"),
                .. CheckChoice(budget.Definition?.Per, $"{Path}.definition.per", Enum.GetNames<BudgetPeriod>()),
                .. CheckChoice(budget.OnExhausted, $"{Path}.on_exhausted", Enum.GetNames<BudgetExhaustion>()),
                .. CheckName(definition, budget),
                .. CheckSwitch(budget, environment),
            ];

    /// <summary>Checks that the model's price is known if there is a budget in dollars.</summary>
    public static IEnumerable<DefinitionFault> CheckPrice(
        BudgetDefinition? budget,
        ModelSpec model,
        string path,
        DefinitionEnvironment environment
    )
    {
        if (
            (budget?.Run?.CostUsd ?? budget?.Thread?.CostUsd ?? budget?.Definition?.CostUsd) is not null
            && environment.Prices.Find(model) is null
        )
        {
            yield return new DefinitionFault(
                DefinitionCodes.UnknownPrice,
                path,
                $"there is a budget in dollars, but the price of '{model}' is unknown",
                "add its price to the file named by AGENT_EXECUTOR_PRICES_FILE, or set the budget in tokens"
            )
            {
                IsEnvironment = true,
            };
        }
    }

    private static IEnumerable<DefinitionFault> CheckAmount(SpendingDefinition? amount, string path)
    {
        if (amount is { Tokens: null, CostUsd: null })
        {
            yield return new DefinitionFault(
                DefinitionCodes.MissingField,
                path,
                "the budget sets no limit",
                "set 'tokens', 'cost_usd' or both"
            );
        }
        if (amount?.Tokens < 1)
        {
            yield return new DefinitionFault(
                DefinitionCodes.InvalidLimit,
                $"{path}.tokens",
                $"{amount.Tokens} is less than 1",
                "use a number of at least 1"
            );
        }
        if (amount?.CostUsd is not null and not (> 0 and <= MaxDollars))
        {
            yield return new DefinitionFault(
                DefinitionCodes.InvalidLimit,
                $"{path}.cost_usd",
                FormattableString.Invariant($"{amount.CostUsd} must be greater than 0 and at most {MaxDollars}"),
                "use a number in this range"
            );
        }
    }

    private static IEnumerable<DefinitionFault> CheckChoice(string? value, string path, IEnumerable<string> names)
    {
        var known = names.Select(name => name.ToLowerInvariant()).ToList();
        if (value is not null && !known.Contains(value))
        {
            yield return new DefinitionFault(
                DefinitionCodes.WrongValue,
                path,
                $"'{value}' is not one of {string.Join(", ", known)}",
                Spelling.Hint(value, known, "values")
            );
        }
    }

    /// <summary>A budget per definition identifies the runs that share it by the definition's name.</summary>
    private static IEnumerable<DefinitionFault> CheckName(AgentDefinition definition, BudgetDefinition budget)
    {
        if (budget.Definition is not null && string.IsNullOrWhiteSpace(definition.Name))
        {
            yield return new DefinitionFault(
                DefinitionCodes.MissingField,
                "$.name",
                "a budget per definition requires a name of the definition",
                "add 'name'"
            );
        }
    }

    private static IEnumerable<DefinitionFault> CheckSwitch(BudgetDefinition budget, DefinitionEnvironment environment)
    {
        const string To = $"{Path}.switch_to";
        if ((budget.OnExhausted == Switch) != (budget.SwitchTo is not null))
        {
            yield return budget.SwitchTo is null
                ? new DefinitionFault(
                    DefinitionCodes.MissingField,
                    To,
                    "the model to switch to is missing",
                    """add a cheaper model, as in "switch_to": "provider:model" """.TrimEnd()
                )
                : new DefinitionFault(
                    DefinitionCodes.WrongValue,
                    $"{Path}.on_exhausted",
                    "'switch_to' has no effect unless 'on_exhausted' is 'switch'",
                    """write "on_exhausted": "switch", or remove 'switch_to'"""
                );
        }
        foreach (var fault in budget.SwitchTo is { } to ? ModelChecks.Check(to, To, budget, environment) : [])
        {
            yield return fault;
        }
    }
}
