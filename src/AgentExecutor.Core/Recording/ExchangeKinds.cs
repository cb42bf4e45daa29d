namespace AgentExecutor.Core.Recording;

/// <summary>What was asked, by the names that stand in recordings.</summary>
public static class ExchangeKinds
{
    public const string Model = "model";

    public const string Tool = "tool";
}
