namespace AgentExecutor.Core.Messages;

/// <summary>Which model an AI message is of.</summary>
/// <param name="Provider">Who serves it, as definitions say.</param>
/// <param name="Name">The model's name, as the server told it.</param>
public readonly record struct AnsweringModel(string Provider, string Name);
