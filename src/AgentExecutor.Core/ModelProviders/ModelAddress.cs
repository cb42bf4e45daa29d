namespace AgentExecutor.Core.ModelProviders;

/// <summary>Where a model's calls go.</summary>
/// <param name="Name">Of one form for each server, such as its URL in lower case without the port that goes without saying.</param>
/// <param name="IsOperators">The operator or the provider chose it, and not a definition.</param>
public readonly record struct ModelAddress(string Name, bool IsOperators);
