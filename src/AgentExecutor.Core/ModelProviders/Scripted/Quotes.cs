using System.Text.Json;
using System.Text.RegularExpressions;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.ModelProviders.Scripted;

/// <summary>
/// Replaces <c>{{...}}</c> in a turn with text from the conversation: <c>input</c> (the first user message), <c>user</c> (the last user
/// message), <c>last</c> (the last message), <c>tool:NAME</c> (the newest result of that tool) or <c>result:ID</c> (the result of the call
/// with this id). Each of them can be followed by <c>|REGEX</c>, which selects the first group of the first match, or the whole match, and
/// by <c> ?? TEXT</c>, which is used if nothing is found.
/// </summary>
internal static partial class Quotes
{
    private const string Otherwise = " ?? ";

    public static string Fill(string text, Conversation conversation) =>
        !text.Contains("{{", StringComparison.Ordinal) ? text : Quote().Replace(text, match => Find(match.Groups[1].Value, conversation));

    public static JsonElement Fill(JsonElement json, Conversation conversation) =>
        !json.GetRawText().Contains("{{", StringComparison.Ordinal)
            ? json
            : JsonTexts.Replace(json, (writer, text) => writer.WriteStringValue(Fill(text, conversation)));

    private static string Find(string quote, Conversation conversation)
    {
        var mark = quote.LastIndexOf(Otherwise, StringComparison.Ordinal);
        var (wanted, otherwise) = mark < 0 ? (quote, null) : (quote[..mark], quote[(mark + Otherwise.Length)..]);
        var bar = wanted.IndexOf('|', StringComparison.Ordinal);
        var source = (bar < 0 ? wanted : wanted[..bar]).Trim();
        var text = TextOf(source, conversation);
        var part = text is null || bar < 0 ? text : PartOf(text, wanted[(bar + 1)..]);
        return otherwise is not null && string.IsNullOrWhiteSpace(part)
            ? otherwise
            : part
                ?? throw Missing(
                    text is null
                        ? $"the scripted turn quotes '{source}', but the conversation has no such result"
                        : $"the scripted turn quotes '{source}' with /{wanted[(bar + 1)..]}/, which does not match: "
                            + (text.Length > 200 ? text[..200] + "..." : text)
                );
    }

    private static string? TextOf(string source, Conversation conversation) =>
        source switch
        {
            "input" => conversation.FirstUser,
            "user" => conversation.LastUser,
            "last" => conversation.Last,
            _ when source.StartsWith("tool:", StringComparison.Ordinal) => conversation.ResultOfTool(source[5..]),
            _ when source.StartsWith("result:", StringComparison.Ordinal) => conversation.ResultOf(source[7..]),
            _ => throw Missing($"there is no quote '{source}'; use input, user, last, tool:NAME or result:ID"),
        };

    private static string? PartOf(string text, string pattern) =>
        Regex.Match(text, pattern, RegexOptions.Multiline, TimeSpan.FromSeconds(1)) is { Success: true } match
            ? (match.Groups.Count > 1 ? match.Groups[1] : match).Value
            : null;

    private static FaultException Missing(string message) => new(FaultCodes.ModelInvalidRequest, message, "correct the script");

    [GeneratedRegex(@"\{\{(.+?)\}\}", RegexOptions.Singleline)]
    private static partial Regex Quote();
}
