namespace AgentExecutor.Core.Messages;

/// <summary>A block of a model's thinking that the provider expects back unchanged, so that the model can continue its reasoning.</summary>
/// <param name="Data">Identifies the model and proves the origin of the block, in the provider's own format. Only the provider interprets
/// it.</param>
/// <param name="Text">The readable text; empty if the provider does not disclose it.</param>
/// <param name="TextBefore">The number of characters of the message's text that precede the block.</param>
public sealed record ThinkingBlock(string Data, string Text = "", int TextBefore = 0)
{
    /// <summary>
    /// The maximum total size of the blocks of one message, in characters. If they exceed it, the message is stored without them.
    /// </summary>
    public const int MaxPerMessage = 64 * 1024;

    public int Length => Data.Length + Text.Length;
}
