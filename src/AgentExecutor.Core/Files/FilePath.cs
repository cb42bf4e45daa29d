using System.Diagnostics.CodeAnalysis;

namespace AgentExecutor.Core.Files;

/// <summary>Paths of the virtual file system: absolute, <c>/</c>-separated, without <c>.</c> or <c>..</c>, at most 1,024 characters.</summary>
public static class FilePath
{
    public const int MaxLength = 1024;

    /// <summary>The canonical form (<c>notes.md</c> becomes <c>/notes.md</c>), or why there is none.</summary>
    public static bool TryNormalize(string path, [NotNullWhen(true)] out string? normal, [NotNullWhen(false)] out string? fault)
    {
        normal = null;
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(part => part != ".").ToArray();
        fault = path.Length > MaxLength ? $"the path is longer than {MaxLength} characters"
            : path.Any(char.IsControl) || path.Contains('\\') ? $"the path '{path}' holds a control character or a backslash"
            : parts.Contains("..") ? $"the path '{path}' goes up with '..'; paths are absolute, such as /notes/plan.md"
            : null;
        if (fault is not null)
        {
            return false;
        }
        normal = "/" + string.Join('/', parts);
        return true;
    }
}
