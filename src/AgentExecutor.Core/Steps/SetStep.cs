using System.Collections.Immutable;
using AgentExecutor.Core.Expressions;
using AgentExecutor.Core.Graphs;

namespace AgentExecutor.Core.Steps;

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
