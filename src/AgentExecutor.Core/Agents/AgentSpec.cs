using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Agents.Output;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Skills;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Agents;

/// <summary>An agent with its model and tools resolved.</summary>
public sealed record AgentSpec
{
    public required string Name { get; init; }

    public string Description { get; init; } = "";

    public string SystemPrompt { get; init; } = "";

    public required ModelSpec Model { get; init; }

    /// <summary>The cheaper model that is called when the budget does not cover the agent's own model; null for none.</summary>
    public ModelSpec? CheaperModel { get; init; }

    /// <summary>The agent's own tools, in addition to the built-in ones.</summary>
    public ImmutableArray<Tool> Tools { get; init; } = [];

    /// <summary>The skills that its system prompt lists.</summary>
    public ImmutableArray<Skill> Skills { get; init; } = [];

    /// <summary>The channels that the agent has in addition to those of every agent.</summary>
    public ImmutableArray<Channel> Channels { get; init; } = [];

    /// <summary>The values of channels before the agent's first superstep, by the names of the channels.</summary>
    public ImmutableDictionary<string, JsonElement> Defaults { get; init; } = ImmutableDictionary<string, JsonElement>.Empty;

    /// <summary>The required format of the final answer; null if any text is allowed.</summary>
    public OutputFormat? Output { get; init; }

    /// <summary>Whether the agent must call a tool before it answers.</summary>
    public ToolChoice ToolChoice { get; init; } = ToolChoice.Auto;

    /// <summary>The tools whose calls require a person's approval.</summary>
    public ImmutableDictionary<string, ApprovalPolicy> InterruptOn { get; init; } = ImmutableDictionary<string, ApprovalPolicy>.Empty;

    /// <summary>The agents to which this agent can delegate; empty if it works alone.</summary>
    public ImmutableArray<AgentSpec> Subagents { get; init; } = [];

    /// <summary>The length in characters above which a tool result is moved to a file.</summary>
    public int MaxToolResultLength { get; init; } = 80_000;

    /// <summary>The share of the model's context at which the conversation is summarised.</summary>
    public double SummarizeAt { get; init; } = 0.85;

    /// <summary>The number of newest messages that a summary leaves unchanged.</summary>
    public int KeepMessages { get; init; } = 8;
}
