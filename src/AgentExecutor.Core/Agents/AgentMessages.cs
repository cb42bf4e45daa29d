using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// Messages that agents add to their conversations in the user's name. Their ids distinguish them from the user's own messages.
/// </summary>
internal static class AgentMessages
{
    private const string SummaryPrefix = "summary-";
    private const string RepairPrefix = "invalid-output-";

    public static Message Summary(string taskId, string text) =>
        Message.Human(SummaryPrefix + taskId, $"Here is a summary of the conversation so far:\n\n{text}");

    /// <summary>Takes the place of a summary, but contains the conversation verbatim.</summary>
    public static Message Excerpt(string taskId, string transcript) =>
        Message.Human(
            SummaryPrefix + taskId,
            $"Here is the conversation so far. If it is long, a part in the middle is omitted:\n\n{transcript}"
        );

    public static Message Repair(string taskId, string text) => Message.Human(RepairPrefix + taskId, text);

    public static bool IsSummary(Message message) =>
        message.Type == MessageType.Human && message.Id.StartsWith(SummaryPrefix, StringComparison.Ordinal);

    public static bool IsRepair(Message message) =>
        message.Type == MessageType.Human && message.Id.StartsWith(RepairPrefix, StringComparison.Ordinal);
}
