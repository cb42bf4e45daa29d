using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// Tool calls that no tool message answers: left by a cancelled run, an abandoned interrupt or an imported history. Model servers
/// refuse such a conversation, so each call gets an answer that says it was not made.
/// </summary>
internal static class DanglingCalls
{
    public static bool AnyIn(MessageLog messages)
    {
        HashSet<string>? open = null;
        foreach (var message in messages)
        {
            foreach (var call in message.ToolCalls)
            {
                (open ??= []).Add(call.Id);
            }
            if (message.ToolCallId is { } answered)
            {
                open?.Remove(answered);
            }
        }
        return open is { Count: > 0 };
    }

    public static IEnumerable<Message> Repair(MessageLog messages)
    {
        var answered = messages.Where(message => message.ToolCallId is not null).Select(message => message.ToolCallId!).ToHashSet();
        foreach (var message in messages)
        {
            yield return message;
            foreach (var call in message.ToolCalls.Where(call => !answered.Contains(call.Id)))
            {
                yield return Message.Tool(
                    $"{message.Id}-{call.Id}-cancelled", call, $"The call of {call.Name} was cancelled: another message came in before it was made.");
            }
        }
    }
}
