namespace AgentExecutor.Adapters.Sqlite;

/// <summary>Wakes all who wait. Whoever takes <see cref="Next"/> before it looks misses nothing that comes after.</summary>
internal sealed class SqliteSignal
{
    private TaskCompletionSource _next = Make();

    /// <summary>Done at the next <see cref="Give"/>.</summary>
    public Task Next => Volatile.Read(ref _next).Task;

    public void Give() => Interlocked.Exchange(ref _next, Make()).TrySetResult();

    private static TaskCompletionSource Make() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
