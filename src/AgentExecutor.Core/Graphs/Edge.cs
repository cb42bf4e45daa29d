using System.Text.Json;
using AgentExecutor.Core.Execution;

namespace AgentExecutor.Core.Graphs;

/// <summary>What follows a node. A closed family.</summary>
/// <param name="From">The node before, or <see cref="Graph.Start"/>.</param>
public abstract record Edge(string From)
{
    /// <summary>The nodes that may follow.</summary>
    public abstract IReadOnlyList<string> Targets { get; }

    /// <summary>Always taken.</summary>
    public sealed record Direct(string From, string To) : Edge(From)
    {
        public override IReadOnlyList<string> Targets { get; } = [To];
    }

    /// <summary>Taken when the condition holds.</summary>
    /// <param name="Text">The condition as written, for plans and pictures.</param>
    public sealed record When(string From, string To, Func<StateView, bool> Condition, string Text) : Edge(From)
    {
        public override IReadOnlyList<string> Targets { get; } = [To];
    }

    /// <summary>Taken when none of the node's conditions held.</summary>
    public sealed record Otherwise(string From, string To) : Edge(From)
    {
        public override IReadOnlyList<string> Targets { get; } = [To];
    }

    /// <summary>One task an item; with no item, what follows <paramref name="To"/> follows at once.</summary>
    /// <param name="Text">The list expression as written.</param>
    public sealed record FanOut(string From, string To, Func<StateView, IReadOnlyList<JsonElement>> Items, string Text) : Edge(From)
    {
        public override IReadOnlyList<string> Targets { get; } = [To];
    }

    /// <summary>Decides in code.</summary>
    public sealed record Router(string From, IReadOnlyList<string> MayGoTo, Func<StateView, IReadOnlyList<DueTask>> Route) : Edge(From)
    {
        public override IReadOnlyList<string> Targets => MayGoTo;
    }
}
