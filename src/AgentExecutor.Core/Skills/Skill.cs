using System.Collections.Immutable;
using AgentExecutor.Core.Files;

namespace AgentExecutor.Core.Skills;

/// <summary>
/// Instructions for one kind of work: a folder with the file <c>SKILL.md</c>, in the format of https://agentskills.io/specification. An
/// agent sees its name and description, and reads its files if it needs them.
/// </summary>
/// <param name="Name">Lower-case letters, digits and hyphens; also the name of the folder.</param>
/// <param name="Description">What the skill does and when to use it.</param>
/// <param name="Files">The texts of its files by path relative to the folder.</param>
public sealed record Skill(string Name, string Description, ImmutableSortedDictionary<string, string> Files)
{
    /// <summary>The folder in the agents' file system that contains all skills.</summary>
    public const string Root = "/skills";

    /// <summary>The file with the instructions.</summary>
    public const string MainFile = "SKILL.md";

    /// <summary>The folder of this skill in the agents' file system.</summary>
    public string Folder => $"{Root}/{Name}";

    /// <summary>Returns the files of the skills, with their paths in the agents' file system.</summary>
    public static FileTree Mount(IEnumerable<Skill> skills) =>
        FileTree.Empty.Apply(
            FileUpdate.Put(
                skills.SelectMany(skill =>
                    skill.Files.Select(file =>
                        KeyValuePair.Create($"{skill.Folder}/{file.Key}", new VirtualFile(file.Value, default, default))
                    )
                )
            )
        );
}
