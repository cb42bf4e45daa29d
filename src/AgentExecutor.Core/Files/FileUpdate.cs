using System.Collections.Immutable;

namespace AgentExecutor.Core.Files;

/// <summary>The changes that a task makes to a thread's files: the new file by path, or null to delete it.</summary>
public sealed record FileUpdate(ImmutableSortedDictionary<string, VirtualFile?> Changes)
{
    public static FileUpdate Put(string path, VirtualFile file) =>
        new(ImmutableSortedDictionary.Create<string, VirtualFile?>(StringComparer.Ordinal).Add(path, file));

    public static FileUpdate Put(IEnumerable<KeyValuePair<string, VirtualFile>> files) =>
        new(files.ToImmutableSortedDictionary(entry => entry.Key, entry => (VirtualFile?)entry.Value, StringComparer.Ordinal));
}
