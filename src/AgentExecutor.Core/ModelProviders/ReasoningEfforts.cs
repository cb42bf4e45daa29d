namespace AgentExecutor.Core.ModelProviders;

/// <summary>How much a model is asked to think before it answers, as providers call it. A model takes some of them.</summary>
public static class ReasoningEfforts
{
    public const string None = "none", Minimal = "minimal";

    public static readonly IReadOnlyList<string> All = [None, Minimal, "low", "medium", "high", "xhigh", "max"];
}
