using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelProviders;

/// <summary>Chat options with additional information about the call. Nothing of it is sent to a model server.</summary>
public sealed class AgentChatOptions : ChatOptions
{
    public AgentChatOptions() { }

    [SetsRequiredMembers]
    private AgentChatOptions(AgentChatOptions other)
        : base(other)
    {
        Agent = other.Agent;
        Turn = other.Turn;
        Attempt = other.Attempt;
    }

    /// <summary>The agent that makes the call.</summary>
    public required string Agent { get; init; }

    /// <summary>The number of answers that the conversation already contains.</summary>
    public int Turn { get; init; }

    /// <summary>The number of this attempt at the answer, starting with 1.</summary>
    public int Attempt { get; init; } = 1;

    public override ChatOptions Clone() => new AgentChatOptions(this);
}
