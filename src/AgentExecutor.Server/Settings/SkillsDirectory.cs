using System.Collections.Immutable;
using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Core.Skills;

namespace AgentExecutor.Server.Settings;

/// <summary>Reads the directory of <see cref="ServerSettings.SkillsDir"/>: each of its folders is a skill.</summary>
internal static class SkillsDirectory
{
    private const int MaxFiles = 500;
    private const long MaxBytes = 10 << 20;

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>
    /// Symbolic links are not followed, because they could lead out of the directory. A hidden file is part of no skill.
    /// </summary>
    private static readonly EnumerationOptions Walk = new()
    {
        RecurseSubdirectories = true,
        AttributesToSkip = FileAttributes.ReparsePoint | FileAttributes.Hidden,
        IgnoreInaccessible = false,
    };

    /// <summary>Returns the skills, and the reasons why other folders are not skills.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.InvalidSkills"/>: the directory cannot be read.</exception>
    public static SkillCatalog Read(string directory)
    {
        var skills = ImmutableSortedDictionary.CreateBuilder<string, Skill>(StringComparer.Ordinal);
        var faults = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        try
        {
            foreach (var folder in new DirectoryInfo(directory).EnumerateDirectories())
            {
                if (folder.Name[0] == '.')
                {
                    continue;
                }
                if (ReadSkill(folder, out var fault) is { } skill)
                {
                    skills[skill.Name] = skill;
                }
                else
                {
                    faults[folder.Name] = fault;
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new FaultException(
                FaultCodes.InvalidSkills,
                $"the skills in '{directory}' cannot be read: {exception.Message.TrimEnd('.')}",
                "set AGENT_EXECUTOR_SKILLS_DIR to a directory that this program may read",
                exception
            );
        }
        return new SkillCatalog(skills.ToImmutable(), faults.ToImmutable());
    }

    private static Skill? ReadSkill(DirectoryInfo folder, out string fault)
    {
        var files = folder.EnumerateFiles("*", Walk).Take(MaxFiles + 1).ToList();
        if (files.Count > MaxFiles || files.Sum(file => file.Length) > MaxBytes)
        {
            fault = $"its folder contains more than {MaxFiles} files or {MaxBytes >> 20} MiB";
            return null;
        }
        var texts = files
            .Select(file => (Path: Path.GetRelativePath(folder.FullName, file.FullName), Text: TextOf(file)))
            .Where(file => file.Text is not null)
            .Select(file => KeyValuePair.Create(file.Path, file.Text!));
        return SkillReader.Read(folder.Name, texts, out fault);
    }

    /// <summary>Returns the text of the file, or null if it is not text: agents can only read text.</summary>
    private static string? TextOf(FileInfo file)
    {
        try
        {
            var text = Utf8.GetString(File.ReadAllBytes(file.FullName));
            return text.Contains('\0') ? null : text;
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }
}
