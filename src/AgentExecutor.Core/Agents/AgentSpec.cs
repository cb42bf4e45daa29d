using System.Collections.Immutable;
using AgentExecutor.Core.Agents.Output;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Agents;

/// <summary>An agent, bound: its model and its tools are known and usable.</summary>
public sealed record AgentSpec
{
    public required string Name { get; init; }

    public string Description { get; init; } = "";

    public string SystemPrompt { get; init; } = "";

    public required ModelSpec Model { get; init; }

    /// <summary>The cheaper model that is called where the budget does not cover its own; null for none.</summary>
    public ModelSpec? StandIn { get; init; }

    /// <summary>The tools of its own, beside the built-in ones.</summary>
    public ImmutableArray<Tool> Tools { get; init; } = [];

    /// <summary>What its final answer must be; null for any text.</summary>
    public OutputFormat? Output { get; init; }

    /// <summary>Whether it must call a tool before it answers.</summary>
    public ToolChoice ToolChoice { get; init; } = ToolChoice.Auto;

    /// <summary>Which tools wait for a person first.</summary>
    public ImmutableDictionary<string, ApprovalPolicy> InterruptOn { get; init; } = ImmutableDictionary<string, ApprovalPolicy>.Empty;

    /// <summary>The agents to which it may delegate; empty for one that works alone.</summary>
    public ImmutableArray<AgentSpec> Subagents { get; init; } = [];

    /// <summary>Characters of a tool result beyond which it is moved to a file.</summary>
    public int LongestToolResult { get; init; } = 80_000;

    /// <summary>Share of the model's context at which the conversation is summarised.</summary>
    public double SummarizeAt { get; init; } = 0.85;

    /// <summary>How many of the newest messages a summary leaves as they are.</summary>
    public int KeepMessages { get; init; } = 8;
}
