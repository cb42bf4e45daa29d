using System.Text;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Agents;

/// <summary>Renders a conversation as text, for a model to summarise.</summary>
internal static class Transcript
{
    public static string Of(IEnumerable<Message> messages)
    {
        var text = new StringBuilder();
        foreach (var message in messages)
        {
            text.Append(MessageJson.NameOf(message.Type)).Append(": ").Append(message.Text).Append('\n');
            foreach (var call in message.ToolCalls)
            {
                text.Append("  calls ").Append(call.Name).Append(' ').Append(JsonBytes.Compact(call.Arguments)).Append('\n');
            }
        }
        return text.ToString();
    }

    /// <summary>
    /// Shortens a transcript by omitting its middle: a conversation starts with the request and ends with the current state, so both are
    /// kept.
    /// </summary>
    public static string Fit(string transcript, int maxLength)
    {
        if (transcript.Length <= maxLength)
        {
            return transcript;
        }
        var (head, tail) = (maxLength / 4, maxLength - (maxLength / 4));
        return $"{transcript.AsSpan(0, Whole(transcript, head))}\n[{transcript.Length - maxLength} characters are omitted here]\n"
            + transcript[Whole(transcript, transcript.Length - tail)..];
    }

    /// <summary>Moves a cut position so that it does not split a surrogate pair.</summary>
    private static int Whole(string text, int at) => at > 0 && at < text.Length && char.IsLowSurrogate(text[at]) ? at - 1 : at;
}
