using System.Security.Cryptography;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.Anthropic;

/// <summary>
/// Determines which thinking blocks of a conversation can be sent back. The API rejects a block if the system prompt, the tools or the
/// preceding messages have changed since it was created, for example because the conversation was summarised. Each block is therefore
/// stored with a hash of everything that precedes it, not including the marks for the cache.
/// </summary>
internal static class AnthropicPrefix
{
    /// <summary>
    /// Removes blocks that do not match, or all blocks if <paramref name="model"/> is null. Returns the hash of the whole request.
    /// </summary>
    public static string Settle(byte[] head, IReadOnlyList<AnthropicConversation.Turn> turns, string? model, string provider)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(head);
        foreach (var turn in turns)
        {
            if (turn.IsAssistant && turn.Contents.Exists(content => content is ThinkingContent))
            {
                var prefix = Text(hash);
                turn.Contents.RemoveAll(content =>
                    content is ThinkingContent thinking && (thinking.Block.Model != model || thinking.Block.Prefix != prefix)
                );
            }
            hash.AppendData(
                JsonBytes.Write(
                    (turn, provider),
                    static (writer, it) => new AnthropicMessages(writer, it.provider).Write(it.turn, isMarked: false)
                )
            );
        }
        return Text(hash);
    }

    private static string Text(IncrementalHash hash) => Convert.ToHexStringLower(hash.GetCurrentHash().AsSpan(0, 16));
}
