using System.Collections.Immutable;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Skills;

namespace AgentExecutor.Core.Compilation;

/// <summary>Checks the skills of a definition, and the skills that its agents name.</summary>
internal static class SkillChecks
{
    public static IEnumerable<DefinitionFault> Check(AgentDefinition definition)
    {
        foreach (var (name, files) in definition.Skills ?? ImmutableDictionary<string, IReadOnlyDictionary<string, string>>.Empty)
        {
            if (SkillReader.Read(name, files, out var fault) is null)
            {
                yield return new DefinitionFault(
                    DefinitionCodes.InvalidSkill,
                    $"$.skills.{name}",
                    $"the skill '{name}' is invalid: {fault}",
                    $"write its files by path, and begin {Skill.MainFile} with the lines ---, name: {name}, description: ... and ---"
                );
            }
        }
    }

    public static IEnumerable<DefinitionFault> CheckAgent(
        GraphPart part,
        NodeConfig config,
        int index,
        AgentDefinition definition,
        SkillCatalog catalog
    )
    {
        var names = config.Skills ?? [];
        for (var i = 0; i < names.Count; i++)
        {
            if (definition.Skills?.ContainsKey(names[i]) != true && !catalog.Skills.ContainsKey(names[i]))
            {
                yield return Unknown(names[i], $"{part.PathOf(index, "skills")}[{i}]", definition, catalog);
            }
        }
    }

    /// <summary>Returns the skills that the agent names. The definition's own skills have priority over those of the operator.</summary>
    public static ImmutableArray<Skill> Of(NodeConfig config, AgentDefinition definition, SkillCatalog catalog) =>
        [
            .. (config.Skills ?? [])
                .Distinct()
                .Select(name =>
                    definition.Skills?.GetValueOrDefault(name) is { } files
                        ? SkillReader.Read(name, files, out _)
                        : catalog.Skills.GetValueOrDefault(name)
                )
                .OfType<Skill>(),
        ];

    private static DefinitionFault Unknown(string name, string path, AgentDefinition definition, SkillCatalog catalog)
    {
        var isBroken = catalog.Faults.TryGetValue(name, out var reason);
        var known = catalog.Skills.Keys.Concat(definition.Skills?.Keys ?? []).Order(StringComparer.Ordinal).ToList();
        return new DefinitionFault(
            DefinitionCodes.UnknownSkill,
            path,
            isBroken ? $"the skill '{name}' of this service is invalid: {reason}" : $"there is no skill '{name}'",
            isBroken ? "correct its folder in AGENT_EXECUTOR_SKILLS_DIR"
                : known.Count > 0 ? Spelling.Hint(name, known, "skills")
                : "add it to the definition's 'skills', or set AGENT_EXECUTOR_SKILLS_DIR to a directory that contains it"
        )
        {
            IsEnvironment = true,
        };
    }
}
