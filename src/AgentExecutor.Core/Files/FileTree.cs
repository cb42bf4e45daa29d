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

    /// <summary>These files laid over those of <paramref name="below"/>.</summary>
    public FileTree Over(FileTree below) =>
        Entries.IsEmpty ? below : below.Entries.IsEmpty ? this : new FileTree(below.Entries.SetItems(Entries));
}
