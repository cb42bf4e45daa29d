using System.Collections.Immutable;
using AgentExecutor.Core.Graphs.Expressions;

namespace AgentExecutor.Core.Execution.Nodes;

/// <summary>Assigns channels from expressions over the state.</summary>
internal sealed class SetStep(ImmutableArray<KeyValuePair<string, Template>> assignments) : NodeBody
{
    public override ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken)
    {
        foreach (var (channel, template) in assignments)
        {
            context.WriteJson(channel, template.Fill(context.State));
        }
        return ValueTask.CompletedTask;
    }
}
