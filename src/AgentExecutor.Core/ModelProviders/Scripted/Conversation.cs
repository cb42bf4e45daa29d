using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelProviders.Scripted;

/// <summary>The conversation as a scripted model sees it. It is read from its end, and only as far as necessary.</summary>
internal sealed class Conversation(IReadOnlyList<ChatMessage> messages)
{
    public string Last => messages.Count == 0 ? "" : TextOf(messages[^1]);

    public string? LastTool => messages is [.., var last] && Result(last) is { } result ? ToolOf(result.CallId) : null;

    public string FirstUser => messages.FirstOrDefault(message => message.Role == ChatRole.User) is { } message ? TextOf(message) : "";

    public string LastUser => Newest(message => message.Role == ChatRole.User ? TextOf(message) : null) ?? "";

    public string? ResultOf(string callId) =>
        Newest(message => Result(message) is { } result && result.CallId == callId ? Text(result) : null);

    public string? ResultOfTool(string tool) =>
        Newest(message => Result(message) is { } result && ToolOf(result.CallId) == tool ? Text(result) : null);

    public bool Meets(ScriptCondition condition, string agent, int turn) =>
        (condition.Agent is null || condition.Agent == agent)
        && (condition.Turn is null || condition.Turn == turn)
        && (condition.LastTool is null || condition.LastTool == LastTool)
        && (condition.LastContains is null || Last.Contains(condition.LastContains, StringComparison.Ordinal))
        && (condition.LastMatches is null || Regex.IsMatch(Last, condition.LastMatches, RegexOptions.None, TimeSpan.FromSeconds(1)))
        && (condition.UserContains is null || LastUser.Contains(condition.UserContains, StringComparison.Ordinal));

    private string? ToolOf(string callId) =>
        Newest(message => message.Contents.OfType<FunctionCallContent>().FirstOrDefault(call => call.CallId == callId)?.Name);

    private string? Newest(Func<ChatMessage, string?> select)
    {
        for (var i = messages.Count - 1; i >= 0; i--)
        {
            if (select(messages[i]) is { } found)
            {
                return found;
            }
        }
        return null;
    }

    private static FunctionResultContent? Result(ChatMessage message) => message.Contents.OfType<FunctionResultContent>().FirstOrDefault();

    private static string TextOf(ChatMessage message) => Result(message) is { } result ? Text(result) : message.Text;

    private static string Text(FunctionResultContent result) => result.Result?.ToString() ?? "";
}
