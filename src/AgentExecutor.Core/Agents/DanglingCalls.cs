using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// Finds tool calls without a tool message that answers them. They result from a cancelled run, an abandoned interrupt or an imported
/// history. Model servers reject such a conversation, so each of these calls gets an answer that says that it was not made.
/// </summary>
internal static class DanglingCalls
{
    public static bool AnyIn(MessageLog messages)
    {
        HashSet<string>? unanswered = null;
        foreach (var message in messages)
        {
            foreach (var call in message.ToolCalls)
            {
                (unanswered ??= []).Add(call.Id);
            }
            if (message.ToolCallId is { } answered)
            {
                unanswered?.Remove(answered);
            }
        }
        return unanswered is { Count: > 0 };
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
                    $"{message.Id}-{call.Id}-cancelled",
                    call,
                    $"The call of {call.Name} was cancelled, because another message arrived before it was made."
                );
            }
        }
    }
}
