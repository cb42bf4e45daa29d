using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>What to ask a model.</summary>
/// <param name="Messages">The conversation, with the system prompt.</param>
/// <param name="Turn">How many answers it holds.</param>
/// <param name="Tools">The tools that the model may call.</param>
/// <param name="MessageId">The id of the answer, stable across attempts.</param>
/// <param name="MayHaveBegun">An earlier attempt of the run may have shown some of the answer.</param>
internal sealed record ModelRequest(IReadOnlyList<ChatMessage> Messages, int Turn, IList<AITool> Tools, string MessageId, bool MayHaveBegun)
{
    /// <summary>About how many tokens all that is sent has.</summary>
    public required long InputTokens { get; init; }

    /// <summary>The form that the answer must have; null for any.</summary>
    public ChatResponseFormat? ResponseFormat { get; init; }

    /// <summary>Whether the model must call a tool; null where it is its own choice.</summary>
    public ChatToolMode? ToolMode { get; init; }

    /// <summary>A cheaper model answers, since the budget did not cover the agent's own.</summary>
    public bool IsStandIn { get; init; }

    /// <summary>Where the conversation is too long for the model, it can be summarised.</summary>
    public bool MaySummarize { get; init; }
}
