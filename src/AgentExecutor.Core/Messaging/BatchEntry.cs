namespace AgentExecutor.Core.Messaging;

/// <summary>One event of a batch: what was read, or why it could not be.</summary>
public sealed record BatchEntry<T>(int Index, T? Value, EventException? Fault)
    where T : class;
