using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelProviders;

/// <summary>Chat options with what the runtime knows of the call. Never sent to a model server.</summary>
public sealed class AgentChatOptions : ChatOptions
{
    public AgentChatOptions()
    {
    }

    [SetsRequiredMembers]
    private AgentChatOptions(AgentChatOptions other)
        : base(other)
    {
        Agent = other.Agent;
        Turn = other.Turn;
        Attempt = other.Attempt;
    }

    /// <summary>The agent that speaks.</summary>
    public required string Agent { get; init; }

    /// <summary>How many answers the conversation holds already.</summary>
    public int Turn { get; init; }

    /// <summary>Which attempt at this answer it is, from 1.</summary>
    public int Attempt { get; init; } = 1;

    public override ChatOptions Clone() => new AgentChatOptions(this);
}
