namespace AgentExecutor.Core.ModelProviders;

/// <summary>The server that a model's calls go to.</summary>
/// <param name="Name">A unique name of the server, such as its URL in lower case without the default port.</param>
/// <param name="IsOperators">True if the operator or the provider chose the address, rather than a definition.</param>
public readonly record struct ModelAddress(string Name, bool IsOperators);
