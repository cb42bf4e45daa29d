using System.Text;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Agents;

/// <summary>A conversation as one text, for a model to summarise.</summary>
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

    /// <summary>Leaves out of the middle what is too much: a conversation begins with what is wanted, and ends with where it stands.</summary>
    public static string Fit(string transcript, int longest)
    {
        if (transcript.Length <= longest)
        {
            return transcript;
        }
        var (head, tail) = (longest / 4, longest - (longest / 4));
        return $"{transcript.AsSpan(0, Whole(transcript, head))}\n[{transcript.Length - longest} characters are left out here]\n{transcript.AsSpan(Whole(transcript, transcript.Length - tail))}";
    }

    /// <summary>Cuts no character in two.</summary>
    private static int Whole(string text, int at) => at > 0 && at < text.Length && char.IsLowSurrogate(text[at]) ? at - 1 : at;
}
