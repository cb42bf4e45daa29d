namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// Notifies all tasks that wait for a change. A caller that reads <see cref="Next"/> before it queries the state misses no change after
/// that query.
/// </summary>
internal sealed class SqliteSignal
{
    private TaskCompletionSource _next = NewSource();

    /// <summary>Completes at the next <see cref="Set"/>.</summary>
    public Task Next => Volatile.Read(ref _next).Task;

    public void Set() => Interlocked.Exchange(ref _next, NewSource()).TrySetResult();

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
