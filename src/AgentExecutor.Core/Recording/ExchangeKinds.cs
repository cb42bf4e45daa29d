namespace AgentExecutor.Core.Recording;

/// <summary>The kinds of exchanges, by their names in recordings.</summary>
public static class ExchangeKinds
{
    public const string Model = "model";

    public const string Tool = "tool";
}
