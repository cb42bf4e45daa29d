using AgentExecutor.Core.Schemas;

namespace AgentExecutor.Core.Definitions;

/// <summary>
/// Handles fields that the format does not have. They are warnings, because editors and older definitions leave notes in a definition. They
/// are errors if the author may have meant a known field, because a misspelt limit or approval must not be ignored silently.
/// </summary>
internal static class UnknownFields
{
    /// <summary>Fields that limit or guard a run, with the place where they take effect.</summary>
    private static readonly Dictionary<string, string> Guards = new(StringComparer.Ordinal)
    {
        ["limits"] = "at the top level of the definition",
        ["budget"] = "at the top level of the definition",
        ["interrupt_on"] = "in a node's config",
        ["interrupt_before"] = "in a node's config",
        ["interrupt_after"] = "in a node's config",
        ["effects"] = "in a tool definition",
        ["max_supersteps"] = "in 'limits'",
        ["max_tool_calls"] = "in 'limits'",
        ["max_subagent_depth"] = "in 'limits'",
        ["max_tokens"] = "in 'limits' or in a model",
        ["max_cost_usd"] = "in 'limits'",
        ["max_seconds"] = "in 'limits'",
    };

    public static DefinitionFault Fault(SchemaFault fault)
    {
        var name = fault.Path[(fault.Path.LastIndexOf('.') + 1)..];
        if (name is "api_key" or "apikey" or "apiKey" or "key" or "token" or "secret" or "password")
        {
            return new DefinitionFault(
                DefinitionCodes.UnknownField,
                fault.Path,
                "definitions are stored and must not contain keys",
                "remove the field; keys are read from the environment, such as OPENAI_API_KEY or ANTHROPIC_API_KEY"
            );
        }
        var known = fault.Known is { } properties
            ? properties.EnumerateObject().Select(property => property.Name).Where(it => it[0] != '$').ToList()
            : [];
        if (Spelling.Nearest(name, known) is { } near)
        {
            return new DefinitionFault(
                DefinitionCodes.UnknownField,
                fault.Path,
                $"there is no field '{name}' here",
                $"did you mean '{near}'?"
            );
        }
        if (Spelling.Nearest(name, Guards.Keys) is { } guard)
        {
            return new DefinitionFault(
                DefinitionCodes.UnknownField,
                fault.Path,
                $"there is no field '{name}' here, so it would have no effect",
                $"place '{guard}' {Guards[guard]}"
            );
        }
        var isLimit =
            fault.Path.StartsWith("$.budget.", StringComparison.Ordinal) || fault.Path.Contains("limits.", StringComparison.Ordinal);
        return isLimit
            ? new DefinitionFault(
                DefinitionCodes.UnknownField,
                fault.Path,
                $"there is no field '{name}' here, so it would not limit anything",
                $"use one of {string.Join(", ", known)}"
            )
            : new DefinitionFault(
                DefinitionCodes.UnknownField,
                fault.Path,
                $"there is no field '{name}' here, so it is ignored",
                "remove the field",
                IsWarning: true
            );
    }
}
