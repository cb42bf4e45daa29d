using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Core.Compilation;

/// <summary>Checks an agent's model and its fallbacks, each with the help of its provider.</summary>
internal static class ModelChecks
{
    private const int MaxTokens = 1_000_000;
    private const int MinContext = 1_000;
    private const int MaxContext = 100_000_000;

    public static IEnumerable<DefinitionFault> Check(
        GraphPart part,
        NodeConfig config,
        int index,
        BudgetDefinition? budget,
        DefinitionEnvironment environment
    )
    {
        var path = part.PathOf(index, "model");
        var spec = AgentCompiler.ModelOf(config, part.Orchestrator?.Config, environment);
        if (spec is null)
        {
            return
            [
                new DefinitionFault(
                    DefinitionCodes.MissingModel,
                    path,
                    "the agent has no model",
                    """set one, as in "model": "provider:model", or set the default with --model or LLM_MODEL_NAME"""
                )
                {
                    IsEnvironment = config.Model is null,
                },
            ];
        }
        // The orchestrator's fallbacks are checked where they are written.
        var isOwn = environment.ModelOverride is null && AgentCompiler.Read(config.Model, environment) is not null;
        return
        [
            .. CheckOne(spec, path, budget, environment),
            .. isOwn ? CheckFallbacks(spec, config.Model!, path, budget, environment) : [],
            .. CheckScriptFile(config.Model, path),
        ];
    }

    /// <summary>Checks a model that does not belong to an agent.</summary>
    public static IEnumerable<DefinitionFault> Check(
        ModelDefinition model,
        string path,
        BudgetDefinition? budget,
        DefinitionEnvironment environment
    ) =>
        AgentCompiler.Read(model, environment) is { } spec
            ?
            [
                .. CheckOne(spec, path, budget, environment),
                .. CheckFallbacks(spec, model, path, budget, environment),
                .. CheckScriptFile(model, path),
            ]
            :
            [
                new DefinitionFault(
                    DefinitionCodes.MissingModel,
                    path,
                    "the model has no provider",
                    """write "provider:model", or an object with 'provider' and 'model'"""
                ),
            ];

    private static IEnumerable<DefinitionFault> CheckFallbacks(
        ModelSpec spec,
        ModelDefinition model,
        string path,
        BudgetDefinition? budget,
        DefinitionEnvironment environment
    )
    {
        for (var i = 0; i < spec.Fallbacks.Length; i++)
        {
            var (fallbackPath, fallback) = ($"{path}.fallbacks[{i}]", model.Fallbacks![i]);
            IEnumerable<DefinitionFault> faults =
                spec.Fallbacks[i].Provider.Length == 0
                    ?
                    [
                        new DefinitionFault(
                            DefinitionCodes.MissingModel,
                            fallbackPath,
                            "the fallback has no provider",
                            """write "provider:model", or an object with 'provider' and 'model'"""
                        ),
                    ]
                    : [.. CheckOne(spec.Fallbacks[i], fallbackPath, budget, environment), .. CheckScriptFile(fallback, fallbackPath)];
            foreach (var fault in faults)
            {
                yield return fault;
            }
            if (fallback.Fallbacks is { Count: > 0 })
            {
                yield return new DefinitionFault(
                    DefinitionCodes.InvalidModel,
                    $"{fallbackPath}.fallbacks",
                    "a fallback cannot have fallbacks of its own",
                    $"add them to {path}.fallbacks, after this one"
                );
            }
        }
    }

    private static IEnumerable<DefinitionFault> CheckOne(
        ModelSpec spec,
        string path,
        BudgetDefinition? budget,
        DefinitionEnvironment environment
    ) =>
        environment.Models.Find(spec.Provider) is { } provider
            ?
            [
                .. CheckEffort(spec, path),
                .. provider
                    .Check(spec)
                    .Select(fault => new DefinitionFault(
                        DefinitionCodes.InvalidModel,
                        fault.Path.Length == 0 ? path : $"{path}.{fault.Path}",
                        fault.Message,
                        fault.Hint
                    )
                    {
                        IsEnvironment = fault.IsEnvironment,
                    }),
                .. BudgetChecks.CheckPrice(budget, spec, path, environment),
                .. CheckRange(spec.MaxTokens, 1, MaxTokens, $"{path}.max_tokens"),
                .. CheckRange(spec.ContextTokens, MinContext, MaxContext, $"{path}.context_tokens"),
            ]
            :
            [
                new DefinitionFault(
                    DefinitionCodes.UnknownProvider,
                    path,
                    $"there is no model provider '{spec.Provider}'",
                    Spelling.Hint(spec.Provider, environment.Models.Names, "providers")
                ),
            ];

    private static IEnumerable<DefinitionFault> CheckEffort(ModelSpec spec, string path) =>
        spec.ReasoningEffort is null || ReasoningEfforts.All.Contains(spec.ReasoningEffort)
            ? []
            :
            [
                new DefinitionFault(
                    DefinitionCodes.InvalidModel,
                    $"{path}.reasoning_effort",
                    $"there is no reasoning effort '{spec.ReasoningEffort}'",
                    Spelling.Hint(spec.ReasoningEffort, ReasoningEfforts.All, "efforts")
                ),
            ];

    private static IEnumerable<DefinitionFault> CheckRange(int? value, int least, int most, string path)
    {
        if (value < least || value > most)
        {
            yield return new DefinitionFault(
                DefinitionCodes.InvalidLimit,
                path,
                $"{value} is not between {least} and {most}",
                $"use a number between {least} and {most}"
            );
        }
    }

    private static IEnumerable<DefinitionFault> CheckScriptFile(ModelDefinition? model, string path) =>
        model?.ScriptFile is null
            ? []
            :
            [
                new DefinitionFault(
                    DefinitionCodes.InvalidModel,
                    $"{path}.script_file",
                    "only the command line reads script files",
                    "put the turns into 'script' instead"
                ),
            ];
}
