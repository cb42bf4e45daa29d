using System.Diagnostics.CodeAnalysis;

namespace AgentExecutor.Core.Files;

/// <summary>
/// Paths of the virtual file system: absolute, separated by <c>/</c>, without <c>.</c> or <c>..</c>, and at most 1,024 characters long.
/// </summary>
public static class FilePath
{
    public const int MaxLength = 1024;

    /// <summary>
    /// Returns the canonical form of a path (<c>notes.md</c> becomes <c>/notes.md</c>), or the reason why the path is invalid.
    /// </summary>
    public static bool TryNormalize(string path, [NotNullWhen(true)] out string? normal, [NotNullWhen(false)] out string? fault)
    {
        normal = null;
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(part => part != ".").ToArray();
        fault =
            path.Length > MaxLength ? $"the path is longer than {MaxLength} characters"
            : path.Any(char.IsControl) || path.Contains('\\') ? $"the path '{path}' contains a control character or a backslash"
            : parts.Contains("..") ? $"the path '{path}' contains '..'; use an absolute path, such as /notes/plan.md"
            : null;
        if (fault is not null)
        {
            return false;
        }
        normal = "/" + string.Join('/', parts);
        return true;
    }
}
