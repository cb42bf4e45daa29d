namespace AgentExecutor.Core.Graphs;

/// <summary>The behaviour of a node. One instance serves all runs, so it must not keep state.</summary>
public abstract class NodeBody
{
    /// <summary>
    /// Reads the state and writes updates through the context. After a crash or an interrupt, the method runs again from its beginning.
    /// </summary>
    public abstract ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken);
}

/// <summary>A node body that calls a function.</summary>
public sealed class DelegateNode(Func<NodeContext, CancellationToken, ValueTask> run) : NodeBody
{
    public override ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken) => run(context, cancellationToken);
}
