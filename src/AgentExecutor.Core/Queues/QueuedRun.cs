namespace AgentExecutor.Core.Queues;

/// <summary>A submitted run in memory.</summary>
/// <param name="Submission">The submission.</param>
/// <param name="DueAt">No worker claims the run before this time.</param>
/// <param name="Number">The position of the run in the order of submissions.</param>
internal sealed record QueuedRun(RunSubmission Submission, DateTimeOffset DueAt, long Number)
{
    /// <summary>The order in which the runs of a thread are executed.</summary>
    public static readonly IComparer<QueuedRun> ByAge = Comparer<QueuedRun>.Create(
        static (a, b) => (a.DueAt, a.Number).CompareTo((b.DueAt, b.Number))
    );

    /// <summary>The order in which runs are claimed.</summary>
    public static readonly IComparer<QueuedRun> ByUrgency = Comparer<QueuedRun>.Create(
        static (a, b) => (a.Submission.Priority, a.DueAt, a.Number).CompareTo((b.Submission.Priority, b.DueAt, b.Number))
    );

    public string? Key => Submission.ConcurrencyKey;

    public int Limit => Submission.ConcurrencyLimit;

    /// <summary>A run is submitted only once, so the reference identifies it.</summary>
    public bool Equals(QueuedRun? other) => ReferenceEquals(this, other);

    public override int GetHashCode() => Number.GetHashCode();
}
