using System.Collections.Immutable;

namespace AgentExecutor.Core.Files;

/// <summary>The files of a thread by absolute path, in ordinal order. Immutable.</summary>
public sealed class FileTree
{
    public static readonly FileTree Empty = new(ImmutableSortedDictionary.Create<string, VirtualFile>(StringComparer.Ordinal));

    private FileTree(ImmutableSortedDictionary<string, VirtualFile> entries) => Entries = entries;

    public ImmutableSortedDictionary<string, VirtualFile> Entries { get; }

    public VirtualFile? this[string path] => Entries.GetValueOrDefault(path);

    public FileTree Apply(FileUpdate update)
    {
        var entries = Entries;
        foreach (var (path, file) in update.Changes)
        {
            entries = file is null ? entries.Remove(path) : entries.SetItem(path, file);
        }
        return ReferenceEquals(entries, Entries) ? this : new FileTree(entries);
    }

    /// <summary>
    /// Returns the reason why no file can be created at this path: one of its parent directories is a file, or the path is a directory.
    /// Returns null if there is none.
    /// </summary>
    public string? Obstacle(string path)
    {
        for (var slash = path.LastIndexOf('/'); slash > 0; slash = path.LastIndexOf('/', slash - 1))
        {
            if (Entries.ContainsKey(path[..slash]))
            {
                return $"'{path[..slash]}' is a file and cannot contain other files";
            }
        }
        return
            path == "/"
            || Entries.Keys.Any(other =>
                other.Length > path.Length && other[path.Length] == '/' && other.StartsWith(path, StringComparison.Ordinal)
            )
            ? $"'{path}' is a directory"
            : null;
    }

    /// <summary>Layers these files over those of <paramref name="below"/>.</summary>
    public FileTree Over(FileTree below) =>
        Entries.IsEmpty ? below
        : below.Entries.IsEmpty ? this
        : new FileTree(below.Entries.SetItems(Entries));
}
