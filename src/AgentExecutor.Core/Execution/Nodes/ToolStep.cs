using System.Text.Json;
using AgentExecutor.Core.Graphs.Expressions;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Execution.Nodes;

/// <summary>Calls one tool with arguments from the state; a result that is a JSON object or list is written as such, any other as text.</summary>
internal sealed class ToolStep(Tool tool, Template arguments, string? output) : NodeBody
{
    public override async ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken)
    {
        var call = new ToolCall(context.TaskId, tool.Name, arguments.Fill(context.State));
        var result = await ToolCaller.CallAsync(tool, new ToolContext(context, call, context.Node) { ErrorsFail = true }, cancellationToken);
        if (result.IsError)
        {
            throw new FaultException(FaultCodes.NodeFailed, $"the tool '{tool.Name}' of the node '{context.Node}' failed: {result.Content}");
        }
        if (output is not null)
        {
            context.WriteJson(output, Read(result.Content));
        }
    }

    private static JsonElement Read(string content)
    {
        if (content.AsSpan().TrimStart() is ['{' or '[', ..])
        {
            try
            {
                return JsonElement.Parse(content);
            }
            catch (JsonException)
            {
                // it only looked like JSON
            }
        }
        return JsonBytes.Text(content);
    }
}
