namespace AgentExecutor.Core.Messaging;

/// <summary>One event of a batch: its value, or the reason why it could not be read.</summary>
public sealed record BatchEntry<T>(int Index, T? Value, EventException? Fault)
    where T : class;
