using System.Text.Json;
using System.Text.RegularExpressions;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.ModelProviders.Scripted;

/// <summary>
/// Fills <c>{{...}}</c> in a turn from the conversation: <c>input</c> (the first user message), <c>user</c> (the last), <c>last</c> (the last message),
/// <c>tool:NAME</c> (that tool's newest result), <c>result:ID</c> (the result of the call with this id); each may end in
/// <c>|REGEX</c>, which takes the first group of its first match, or the match.
/// </summary>
internal static partial class Quotes
{
    public static string Fill(string text, Conversation conversation) => !text.Contains("{{", StringComparison.Ordinal)
        ? text
        : Quote().Replace(text, match => Find(match.Groups[1].Value, conversation));

    public static JsonElement Fill(JsonElement json, Conversation conversation) => !json.GetRawText().Contains("{{", StringComparison.Ordinal)
        ? json
        : JsonTexts.Replace(json, (writer, text) => writer.WriteStringValue(Fill(text, conversation)));

    private static string Find(string quote, Conversation conversation)
    {
        var bar = quote.IndexOf('|', StringComparison.Ordinal);
        var source = (bar < 0 ? quote : quote[..bar]).Trim();
        var found = source switch
        {
            "input" => conversation.FirstUser,
            "user" => conversation.LastUser,
            "last" => conversation.Last,
            _ when source.StartsWith("tool:", StringComparison.Ordinal) => conversation.ResultOfTool(source[5..]),
            _ when source.StartsWith("result:", StringComparison.Ordinal) => conversation.ResultOf(source[7..]),
            _ => throw Missing($"there is no quote '{source}'; known are input, user, last, tool:NAME and result:ID"),
        } ?? throw Missing($"the scripted turn quotes '{source}', and the conversation has no such result");
        return bar < 0 ? found : Part(found, quote[(bar + 1)..], source);
    }

    private static string Part(string text, string pattern, string source)
    {
        var match = Regex.Match(text, pattern, RegexOptions.Multiline, TimeSpan.FromSeconds(1));
        return match.Success
            ? (match.Groups.Count > 1 ? match.Groups[1] : match).Value
            : throw Missing($"the scripted turn quotes '{source}' with /{pattern}/, which does not match: {(text.Length > 200 ? text[..200] + "..." : text)}");
    }

    private static FaultException Missing(string message) => new(FaultCodes.ModelInvalidRequest, message, "mend the script");

    [GeneratedRegex(@"\{\{(.+?)\}\}", RegexOptions.Singleline)]
    private static partial Regex Quote();
}
