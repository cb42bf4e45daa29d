namespace AgentExecutor.Tests;

/// <summary>
/// The system's time, with a clock that a test sets forward or back as an administrator does. Timestamps and timers are not affected.
/// </summary>
public sealed class SteppedTime : TimeProvider
{
    private long _offset;

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + TimeSpan.FromTicks(Interlocked.Read(ref _offset));

    public void Step(TimeSpan by) => Interlocked.Add(ref _offset, by.Ticks);
}
