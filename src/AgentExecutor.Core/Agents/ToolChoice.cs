using AgentExecutor.Core.Messages;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Agents;

/// <summary>Whether an agent must call a tool. It must only until it has, once for each request: forced for ever it would never answer.</summary>
/// <param name="Text">As definitions say it: <c>auto</c>, <c>none</c>, <c>required</c>, or the name of the tool.</param>
public sealed record ToolChoice(string Text)
{
    public static readonly ToolChoice Auto = new("auto");

    private const string None = "none";
    private const string Required = "required";

    /// <summary>The tool that it must call; null where that is left to it.</summary>
    public string? Tool => Text is "auto" or None or Required ? null : Text;

    /// <summary>What the model is told for its next answer; null for its own choice.</summary>
    public ChatToolMode? ModeFor(MessageLog messages) => Text switch
    {
        "auto" => null,
        None => ChatToolMode.None,
        _ when IsMet(messages) => null,
        Required => ChatToolMode.RequireAny,
        _ => ChatToolMode.RequireSpecific(Text),
    };

    /// <summary>It has called since the request; what a summary hides counts as called.</summary>
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
