using AgentExecutor.Core.Files;
using AgentExecutor.Core.Sessions;

namespace AgentExecutor.Core.Graphs;

/// <summary>The context within a run in which a graph executes.</summary>
/// <param name="Session">The session of the run.</param>
/// <param name="Namespace">The checkpoint namespace; empty for the root graph.</param>
/// <param name="Depth">The nesting depth; 0 for the root graph.</param>
/// <param name="InheritedFiles">The parent's files. They are visible but not copied: a sub-graph stores only the files that it
/// changes.</param>
public sealed record GraphScope(RunSession Session, string Namespace, int Depth, FileTree InheritedFiles)
{
    /// <summary>The path of the task that runs this graph (<see cref="NodeContext.TaskPath"/>); empty for the root graph.</summary>
    public string TaskPath { get; init; } = "";

    /// <summary>Files that no task can change. They cover other files with the same paths, and are not part of the state.</summary>
    public FileTree ReadOnlyFiles { get; init; } = FileTree.Empty;

    public static GraphScope Root(RunSession session) => new(session, "", 0, FileTree.Empty);

    /// <summary>Returns true if the path is in a folder of the top level that contains read-only files.</summary>
    public bool IsReadOnly(string path)
    {
        var folder = path[..(path.IndexOf('/', 1) + 1)];
        return folder.Length > 0 && ReadOnlyFiles.Entries.Keys.Any(file => file.StartsWith(folder, StringComparison.Ordinal));
    }

    public bool IsRoot => Namespace.Length == 0;

    public string Child(string node, string taskId) => IsRoot ? $"{node}:{taskId}" : $"{Namespace}|{node}:{taskId}";
}
