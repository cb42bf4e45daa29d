namespace AgentExecutor.Core.Messages;

/// <summary>The model that produced an AI message.</summary>
/// <param name="Provider">The provider's name, as used in definitions.</param>
/// <param name="Name">The model's name, as reported by the server.</param>
public readonly record struct AnsweringModel(string Provider, string Name);
