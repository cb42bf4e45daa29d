using AgentExecutor.Core.Files;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Execution;

/// <summary>Where in a run a graph is run.</summary>
/// <param name="Session">The run.</param>
/// <param name="Namespace">The checkpoint namespace; empty for the root.</param>
/// <param name="Depth">0 for the root.</param>
/// <param name="InheritedFiles">The parent's files, seen and not copied: a sub-graph stores only what it changes.</param>
public sealed record GraphScope(RunSession Session, string Namespace, int Depth, FileTree InheritedFiles)
{
    public static GraphScope Root(RunSession session) => new(session, "", 0, FileTree.Empty);

    public bool IsRoot => Namespace.Length == 0;

    public string Child(string node, string taskId) => IsRoot ? $"{node}:{taskId}" : $"{Namespace}|{node}:{taskId}";
}
