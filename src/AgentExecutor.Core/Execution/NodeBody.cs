namespace AgentExecutor.Core.Execution;

/// <summary>What a node does. One instance serves all runs, so it keeps no state of its own.</summary>
public abstract class NodeBody
{
    /// <summary>Reads the state and writes updates through the context. May run again after a crash or an interrupt, from its beginning.</summary>
    public abstract ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken);
}

/// <summary>A node body from a function.</summary>
public sealed class DelegateNode(Func<NodeContext, CancellationToken, ValueTask> run) : NodeBody
{
    public override ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken) => run(context, cancellationToken);
}
