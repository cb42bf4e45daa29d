using System.Collections.Immutable;

namespace AgentExecutor.Core.Skills;

/// <summary>The skills that the operator provides.</summary>
/// <param name="Skills">The skills by name.</param>
/// <param name="Faults">For each folder that is not a valid skill, the reason.</param>
public sealed record SkillCatalog(ImmutableSortedDictionary<string, Skill> Skills, ImmutableSortedDictionary<string, string> Faults)
{
    public static readonly SkillCatalog Empty = new(
        ImmutableSortedDictionary.Create<string, Skill>(StringComparer.Ordinal),
        ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal)
    );
}
