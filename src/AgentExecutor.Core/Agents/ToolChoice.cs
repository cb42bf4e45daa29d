using AgentExecutor.Core.Messages;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// Whether an agent must call a tool. The requirement applies only until the tool has been called, once per request, because an agent that
/// is always forced to call a tool could never answer.
/// </summary>
/// <param name="Text">As written in definitions: <c>auto</c>, <c>none</c>, <c>required</c>, or the name of a tool.</param>
public sealed record ToolChoice(string Text)
{
    public static readonly ToolChoice Auto = new("auto");

    private const string None = "none";
    private const string Required = "required";

    /// <summary>The tool that the agent must call; null if it is free to choose.</summary>
    public string? Tool => Text is "auto" or None or Required ? null : Text;

    /// <summary>Returns the tool mode for the model's next answer; null to let the model decide.</summary>
    public ChatToolMode? ModeFor(MessageLog messages) =>
        Text switch
        {
            "auto" => null,
            None => ChatToolMode.None,
            _ when IsMet(messages) => null,
            Required => ChatToolMode.RequireAny,
            _ => ChatToolMode.RequireSpecific(Text),
        };

    /// <summary>
    /// Returns true if the agent has called the tool since the last request. A summary counts as a call, because it may hide one.
    /// </summary>
    private bool IsMet(MessageLog messages)
    {
        for (var i = messages.Count - 1; i >= 0; i--)
        {
            var message = messages[i];
            if (message.ToolCalls.Any(call => Tool is null || call.Name == Tool) || AgentMessages.IsSummary(message))
            {
                return true;
            }
            if (message.Type == MessageType.Human && !AgentMessages.IsRepair(message))
            {
                return false;
            }
        }
        return false;
    }
}
