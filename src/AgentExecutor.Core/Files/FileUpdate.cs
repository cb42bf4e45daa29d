using System.Collections.Immutable;

namespace AgentExecutor.Core.Files;

/// <summary>What a task does to a thread's files: by path the new file, or null to delete it.</summary>
public sealed record FileUpdate(ImmutableSortedDictionary<string, VirtualFile?> Changes)
{
    public static FileUpdate Put(string path, VirtualFile file) => new(Single(path, file));

    public static FileUpdate Delete(string path) => new(Single(path, null));

    public static FileUpdate Put(IEnumerable<KeyValuePair<string, VirtualFile>> files) =>
        new(files.ToImmutableSortedDictionary(entry => entry.Key, entry => (VirtualFile?)entry.Value, StringComparer.Ordinal));

    private static ImmutableSortedDictionary<string, VirtualFile?> Single(string path, VirtualFile? file) =>
        ImmutableSortedDictionary.Create<string, VirtualFile?>(StringComparer.Ordinal).Add(path, file);
}
