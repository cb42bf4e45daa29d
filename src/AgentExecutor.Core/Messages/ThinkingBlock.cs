namespace AgentExecutor.Core.Messages;

/// <summary>A piece of a model's thinking that its provider wants back unchanged, so that the model goes on where it was.</summary>
/// <param name="Data">Which model thought it and what proves that, in the provider's own form: nobody else reads it.</param>
/// <param name="Text">What it says; empty where the provider keeps that to itself.</param>
/// <param name="TextBefore">Characters of the message's text that came before it.</param>
public sealed record ThinkingBlock(string Data, string Text = "", int TextBefore = 0)
{
    /// <summary>Characters that one message's blocks may have together; where there are more, it is kept without them.</summary>
    public const int MostOfMessage = 64 * 1024;

    public int Length => Data.Length + Text.Length;
}
