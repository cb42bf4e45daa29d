using System.Collections.Immutable;
using AgentExecutor.Core.Files;

namespace AgentExecutor.Core.Skills;

/// <summary>Reads a skill from the files of its folder.</summary>
public static class SkillReader
{
    private const int MaxNameLength = 64;
    private const int MaxDescriptionLength = 1024;

    /// <summary>Returns the skill, or null and the reason why it is invalid.</summary>
    /// <param name="name">The name of the folder.</param>
    /// <param name="files">The texts of the files by path relative to the folder.</param>
    /// <param name="fault">The reason, as part of a sentence.</param>
    public static Skill? Read(string name, IEnumerable<KeyValuePair<string, string>> files, out string fault)
    {
        var texts = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        foreach (var (path, text) in files)
        {
            if (!FilePath.TryNormalize(path, out var normal, out var invalid))
            {
                fault = invalid;
                return null;
            }
            texts[normal[1..]] = text;
        }
        var description = "";
        fault = CheckName(name) ?? CheckMain(name, texts.GetValueOrDefault(Skill.MainFile), out description) ?? "";
        return fault.Length == 0 ? new Skill(name, description, texts.ToImmutable()) : null;
    }

    private static string? CheckName(string name) =>
        IsName(name)
            ? null
            : $"'{name}' is not a valid name: use at most {MaxNameLength} lower-case letters, digits and single hyphens between them";

    private static string? CheckMain(string name, string? main, out string description)
    {
        description = "";
        if (main is null)
        {
            return $"it has no file {Skill.MainFile}";
        }
        if (SkillHeader.Read(main, out var header) is { } problem)
        {
            return $"its {Skill.MainFile} {problem}";
        }
        description = header.GetValueOrDefault("description", "").Trim();
        return header.GetValueOrDefault("name", name) is var other && other != name
                ? $"the name in its {Skill.MainFile} is '{other}', but the skill is called '{name}'"
            : description.Length == 0 ? $"its {Skill.MainFile} has no description"
            : description.Length > MaxDescriptionLength ? $"its description is longer than {MaxDescriptionLength} characters"
            : null;
    }

    private static bool IsName(string name) =>
        name.Length is > 0 and <= MaxNameLength
        && name.All(character => char.IsAsciiLetterLower(character) || char.IsAsciiDigit(character) || character == '-')
        && name[0] != '-'
        && name[^1] != '-'
        && !name.Contains("--", StringComparison.Ordinal);
}
