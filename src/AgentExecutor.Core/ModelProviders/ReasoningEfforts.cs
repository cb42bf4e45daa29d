namespace AgentExecutor.Core.ModelProviders;

/// <summary>The levels of reasoning effort, as providers name them. Each model supports some of them.</summary>
public static class ReasoningEfforts
{
    public const string None = "none",
        Minimal = "minimal";

    public static readonly IReadOnlyList<string> All = [None, Minimal, "low", "medium", "high", "xhigh", "max"];
}
