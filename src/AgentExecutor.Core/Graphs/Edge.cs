using System.Text.Json;
using AgentExecutor.Core.Channels;

namespace AgentExecutor.Core.Graphs;

/// <summary>A connection from a node to its possible successors. This is a closed family.</summary>
/// <param name="From">The preceding node, or <see cref="Graph.Start"/>.</param>
public abstract record Edge(string From)
{
    /// <summary>The nodes that can follow.</summary>
    public abstract IReadOnlyList<string> Targets { get; }

    /// <summary>An edge that is always taken.</summary>
    public sealed record Direct(string From, string To) : Edge(From)
    {
        public override IReadOnlyList<string> Targets { get; } = [To];
    }

    /// <summary>An edge that is taken if the condition holds.</summary>
    /// <param name="Text">The condition as written, for plans and diagrams.</param>
    public sealed record When(string From, string To, Func<StateView, bool> Condition, string Text) : Edge(From)
    {
        public override IReadOnlyList<string> Targets { get; } = [To];
    }

    /// <summary>An edge that is taken if none of the node's conditions hold.</summary>
    public sealed record Otherwise(string From, string To) : Edge(From)
    {
        public override IReadOnlyList<string> Targets { get; } = [To];
    }

    /// <summary>
    /// Creates one task per item of a list. If the list is empty, the fan-out is skipped and execution continues with the successors of
    /// <paramref name="To"/>.
    /// </summary>
    /// <param name="Text">The list expression as written.</param>
    public sealed record FanOut(string From, string To, Func<StateView, IReadOnlyList<JsonElement>> Items, string Text) : Edge(From)
    {
        public override IReadOnlyList<string> Targets { get; } = [To];
    }

    /// <summary>An edge whose targets are chosen by code.</summary>
    public sealed record Router(string From, IReadOnlyList<string> PossibleTargets, Func<StateView, IReadOnlyList<DueTask>> Route)
        : Edge(From)
    {
        public override IReadOnlyList<string> Targets => PossibleTargets;
    }
}
