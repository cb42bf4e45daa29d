using AgentExecutor.Adapters.ModelServers;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.OpenAI;

/// <summary>
/// Arranges a conversation in the order of roles that a server's chat template requires. Without such a demand, the conversation is not
/// changed.
/// </summary>
internal static class OpenAITurns
{
    private const ServerDemand Ordering =
        ServerDemand.AlternatingTurns | ServerDemand.SystemFirst | ServerDemand.NoSystem | ServerDemand.AssistantNotLast;

    public static IEnumerable<ChatMessage> Of(IEnumerable<ChatMessage> messages, ServerDemand demands)
    {
        if ((demands & Ordering) == ServerDemand.None)
        {
            return messages;
        }
        var turns = WithSystem([.. messages], demands);
        if (demands.HasFlag(ServerDemand.AlternatingTurns))
        {
            turns = Alternating(turns);
        }
        if (demands.HasFlag(ServerDemand.AssistantNotLast) && turns is [.., var last] && last.Role == ChatRole.Assistant)
        {
            turns.Add(new ChatMessage(ChatRole.User, "(Go on.)"));
        }
        return turns;
    }

    /// <summary>Places a single system message at the start, or none. Later system messages become messages of the user.</summary>
    private static List<ChatMessage> WithSystem(List<ChatMessage> messages, ServerDemand demands)
    {
        var head = messages.TakeWhile(message => message.Role == ChatRole.System).ToList();
        var system = string.Join("\n\n", head.Select(message => message.Text).Where(text => text.Length > 0));
        var turns = messages
            .Skip(head.Count)
            .Select(message => message.Role == ChatRole.System ? new ChatMessage(ChatRole.User, AsUserText(message.Text)) : message)
            .ToList();
        if (system.Length == 0)
        {
            return turns;
        }
        if (!demands.HasFlag(ServerDemand.NoSystem))
        {
            return [new ChatMessage(ChatRole.System, system), .. turns];
        }
        var systemText = new TextContent(AsUserText(system));
        return turns is [var first, ..] && first.Role == ChatRole.User
            ? [new ChatMessage(ChatRole.User, [.. Joined([systemText], first.Contents)]), .. turns.Skip(1)]
            : [new ChatMessage(ChatRole.User, [systemText]), .. turns];
    }

    /// <summary>
    /// Makes the roles alternate. Templates that require this do not count tool calls and their results, so a user message after a result
    /// follows another user message for them.
    /// </summary>
    private static List<ChatMessage> Alternating(List<ChatMessage> messages)
    {
        var turns = new List<ChatMessage>();
        foreach (var message in messages)
        {
            var previous = turns.LastOrDefault(turn => turn.Role != ChatRole.System);
            if (previous is null && message.Role != ChatRole.System && message.Role != ChatRole.User)
            {
                turns.Add(new ChatMessage(ChatRole.User, "(The conversation begins with your message.)"));
            }
            if (previous?.Role == ChatRole.Tool && message.Role == ChatRole.User)
            {
                turns.Add(new ChatMessage(ChatRole.Assistant, "(I have the results.)"));
            }
            var canMerge =
                previous is not null
                && previous.Role == message.Role
                && (message.Role == ChatRole.User || (message.Role == ChatRole.Assistant && !HasCalls(previous)));
            if (canMerge)
            {
                var contents = Joined(previous!.Contents, message.Contents);
                turns[^1] = new ChatMessage(message.Role, [.. contents]) { AdditionalProperties = message.AdditionalProperties };
            }
            else
            {
                turns.Add(message);
            }
        }
        return turns;
    }

    private static bool HasCalls(ChatMessage message) => message.Contents.Any(content => content is FunctionCallContent);

    /// <summary>Joins contents. Texts are merged, so that a message that consists only of texts remains a string on the wire.</summary>
    private static IEnumerable<AIContent> Joined(IList<AIContent> first, IList<AIContent> second) =>
        first.Concat(second).All(content => content is TextContent)
            ?
            [
                new TextContent(
                    string.Join(
                        "\n\n",
                        first.Concat(second).Cast<TextContent>().Select(content => content.Text).Where(text => text.Length > 0)
                    )
                ),
            ]
            : first.Concat(second);

    private static string AsUserText(string system) => $"<system>\n{system}\n</system>";
}
