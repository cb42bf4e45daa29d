using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Finds out why the server did not apply a commit, and creates the fault for its caller.</summary>
internal static class CommitRefusal
{
    private const string HasCancelRequest = """
        SELECT true FROM $schema.threads
        WHERE thread_id = $1 AND run_id = $2 AND fence <= $3 AND is_held AND cancel_requested
        """;

    // The remaining seconds of the lease of another worker, or 0 if a submitted run waits for the thread.
    private const string SecondsBusy = """
        SELECT CASE WHEN is_held THEN extract(epoch FROM lease_until - now())::float8 ELSE 0 END
        FROM $schema.threads
        WHERE thread_id = $1 AND fence < $2
            AND (is_held AND lease_until > now() OR is_queued AND status IN ('pending', 'running'))
        """;

    /// <summary>Returns true for an outdated fencing token: the statements of a batch divide by zero in that case.</summary>
    public static bool IsFence(Exception exception) => exception is PostgresException { SqlState: PostgresErrorCodes.DivisionByZero };

    public static async Task<Exception> ExplainAsync(CommitConnection link, StepCommit commit, Exception exception)
    {
        try
        {
            return IsFence(exception) ? await ExplainFenceAsync(await link.OpenAsync(), commit)
                : exception is PostgresException ? PostgresFaults.Refused(exception)
                : exception;
        }
        catch (Exception second) when (PostgresFaults.IsTransient(second))
        {
            await link.CloseAsync();
            return LeaseLost(commit);
        }
    }

    private static async Task<FaultException> ExplainFenceAsync(PostgresConnection connection, StepCommit commit)
    {
        if (commit.IsBarredByCancel)
        {
            await using var cancel = connection.With(HasCancelRequest, commit.ThreadId, commit.Run!.RunId, commit.Fence);
            if (await cancel.ExecuteScalarAsync(CancellationToken.None) is true)
            {
                return commit.CancelRequested();
            }
        }
        await using var busy = connection.With(SecondsBusy, commit.ThreadId, commit.Fence);
        return commit.Acquires && await busy.ExecuteScalarAsync(CancellationToken.None) is double seconds
            ? ThreadBusy(commit, seconds)
            : LeaseLost(commit);
    }

    private static FaultException ThreadBusy(StepCommit commit, double seconds) =>
        seconds > 0
            ? new(
                FaultCodes.ThreadBusy,
                $"another worker runs the thread '{commit.ThreadId}'",
                $"wait until it has ended; its lease ends in {seconds:0.0} s unless it is renewed"
            )
            : new(
                FaultCodes.ThreadBusy,
                $"a submitted run waits for the thread '{commit.ThreadId}'",
                "wait until a worker has executed it, or submit your run to the queue"
            );

    private static FaultException LeaseLost(StepCommit commit) =>
        new(
            FaultCodes.LeaseLost,
            $"another worker has taken over the thread '{commit.ThreadId}'",
            "nothing was changed; the other worker continues the run"
        );
}
