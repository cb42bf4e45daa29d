using System.Security.Cryptography;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.Anthropic;

/// <summary>
/// Tells which thinking blocks of a conversation may go back. The API refuses one where the system prompt, the tools or the messages before it have changed since it
/// was made, as they have where the conversation was summarised. So each block is kept with a hash of what it followed, without the marks of the cache.
/// </summary>
internal static class AnthropicPrefix
{
    /// <summary>Takes the blocks out that do not fit, and all of them where <paramref name="model"/> is null. The hash is of the whole request.</summary>
    public static string Settle(byte[] head, IReadOnlyList<AnthropicConversation.Turn> turns, string? model, string provider)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(head);
        foreach (var turn in turns)
        {
            if (turn.IsAssistant && turn.Contents.Exists(content => content is ThinkingContent))
            {
                var prefix = Text(hash);
                turn.Contents.RemoveAll(content => content is ThinkingContent thinking && (thinking.Block.Model != model || thinking.Block.Prefix != prefix));
            }
            hash.AppendData(JsonBytes.Write((turn, provider), static (writer, it) => new AnthropicMessages(writer, it.provider).Write(it.turn, isMarked: false)));
        }
        return Text(hash);
    }

    private static string Text(IncrementalHash hash) => Convert.ToHexStringLower(hash.GetCurrentHash().AsSpan(0, 16));
}
