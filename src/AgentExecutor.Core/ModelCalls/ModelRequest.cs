using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>A request to a model.</summary>
/// <param name="Messages">The conversation, starting with the system prompt.</param>
/// <param name="Turn">The number of answers that the conversation contains.</param>
/// <param name="Tools">The tools that the model can call.</param>
/// <param name="MessageId">The id of the answer, which is the same for all attempts.</param>
/// <param name="MayHaveBegun">True if an earlier attempt of the run may have published a part of the answer.</param>
internal sealed record ModelRequest(IReadOnlyList<ChatMessage> Messages, int Turn, IList<AITool> Tools, string MessageId, bool MayHaveBegun)
{
    /// <summary>The estimated number of tokens of the request.</summary>
    public required long InputTokens { get; init; }

    /// <summary>The required format of the answer; null for any.</summary>
    public ChatResponseFormat? ResponseFormat { get; init; }

    /// <summary>Whether the model must call a tool; null to let the model decide.</summary>
    public ChatToolMode? ToolMode { get; init; }

    /// <summary>True if the cheaper model is asked because the budget did not cover the agent's own model.</summary>
    public bool IsCheaperModel { get; init; }

    /// <summary>True if the conversation can be summarised if it is too long for the model.</summary>
    public bool MaySummarize { get; init; }
}
