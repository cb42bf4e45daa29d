using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Agents;

/// <summary>Messages that agents put into their conversations themselves, in the user's name; their ids tell them from the user's own.</summary>
internal static class AgentMessages
{
    private const string SummaryPrefix = "summary-";
    private const string RepairPrefix = "invalid-output-";

    public static Message Summary(string taskId, string text) => Message.Human(SummaryPrefix + taskId, $"Here is a summary of the conversation so far:\n\n{text}");

    /// <summary>Stands where a summary would, with the words themselves.</summary>
    public static Message Excerpt(string taskId, string transcript) => Message.Human(
        SummaryPrefix + taskId, $"Here is the conversation so far, as it was; where it is long, a part in the middle is left out:\n\n{transcript}");

    public static Message Repair(string taskId, string text) => Message.Human(RepairPrefix + taskId, text);

    public static bool IsSummary(Message message) => message.Type == MessageType.Human && message.Id.StartsWith(SummaryPrefix, StringComparison.Ordinal);

    public static bool IsRepair(Message message) => message.Type == MessageType.Human && message.Id.StartsWith(RepairPrefix, StringComparison.Ordinal);
}
