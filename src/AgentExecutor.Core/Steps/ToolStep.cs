using System.Text.Json;
using AgentExecutor.Core.Expressions;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Steps;

/// <summary>
/// Calls one tool with arguments from the state. A result that is a JSON object or array is written as JSON, any other result as text.
/// </summary>
internal sealed class ToolStep(Tool tool, Template arguments, string? output) : NodeBody
{
    public override async ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken)
    {
        var call = new ToolCall(context.TaskId, tool.Name, arguments.Fill(context.State));
        var result = await ToolCaller.CallAsync(
            tool,
            new ToolContext(context, call, context.Node) { ErrorsFail = true },
            cancellationToken
        );
        if (result.IsError)
        {
            throw new FaultException(
                FaultCodes.NodeFailed,
                $"the tool '{tool.Name}' of the node '{context.Node}' failed: {result.Content}"
            );
        }
        if (output is not null)
        {
            context.WriteJson(output, Read(result.Content));
        }
        ToolUpdates.Write(result, context);
    }

    private JsonElement Read(string content)
    {
        if (content.AsSpan().TrimStart() is ['{' or '[', ..])
        {
            try
            {
                return InputJson.Parse(content);
            }
            catch (JsonException)
            {
                if (InputJson.IsTooDeep(content))
                {
                    throw new FaultException(
                        FaultCodes.InvalidUpdate,
                        $"the answer of the tool '{tool.Name}' {InputJson.TooDeep}",
                        "change the tool to return a less deeply nested value, or text"
                    );
                }
                // The text only resembles JSON, so it is written as text.
            }
        }
        return JsonBytes.Text(content);
    }
}
