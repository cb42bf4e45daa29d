using AgentExecutor.Core.Checkpoints;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>A commit that waits to be stored, and the task that its caller awaits.</summary>
/// <param name="commit">What is to be stored.</param>
/// <param name="since">The timestamp at which the caller began to wait.</param>
/// <param name="cancellationToken">The token of the caller.</param>
internal sealed class WaitingCommit(StepCommit commit, long since, CancellationToken cancellationToken)
{
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Set by the loop that takes the commit, or by the cancellation of its caller.
    private int _isTaken;

    public StepCommit Commit { get; } = commit;

    /// <summary>Completes when the commit is durable.</summary>
    public Task Completion => _completion.Task;

    /// <summary>True if the commit may have taken effect although no answer was received.</summary>
    public bool WasSent { get; set; }

    /// <summary>The approximate number of bytes to send.</summary>
    public long Size =>
        Commit.Writes.Sum(static write => (long)write.Json.Length)
        + Commit.Values.Sum(static value => (long)value.Json.Length)
        + (Commit.Checkpoint?.Due.Length ?? 0)
        + (Commit.Events?.Json.Length ?? 0);

    /// <summary>Returns true for the first call only, and never after the caller was cancelled.</summary>
    public bool TryTake() => Interlocked.Exchange(ref _isTaken, 1) == 0;

    public void CancelUnlessTaken(CancellationToken token)
    {
        if (TryTake())
        {
            _completion.TrySetCanceled(token);
        }
    }

    public void Succeed() => _completion.TrySetResult();

    /// <summary>Fails with the fault that describes the exception to the caller.</summary>
    public void Fail(Exception exception) =>
        _completion.TrySetException(
            exception is PostgresException || !PostgresFaults.IsTransient(exception)
                ? PostgresFaults.Refused(exception)
                : PostgresFaults.Unavailable(exception)
        );

    /// <summary>Fails with exactly this exception.</summary>
    public void Refuse(Exception refusal) => _completion.TrySetException(refusal);

    /// <summary>
    /// Returns true if the caller has stopped waiting, because it was cancelled or its patience has elapsed. If it is unknown whether the
    /// commit took effect, the caller gets the fault that the store is unavailable, so that it does not continue the run.
    /// </summary>
    public bool IsGivenUp(PostgresAccess access, Exception exception)
    {
        if (cancellationToken.IsCancellationRequested && !WasSent)
        {
            _completion.TrySetCanceled(cancellationToken);
        }
        else if (cancellationToken.IsCancellationRequested || access.Time.GetElapsedTime(since) > access.Patience)
        {
            _completion.TrySetException(PostgresFaults.Unavailable(exception));
        }
        return Completion.IsCompleted;
    }
}
