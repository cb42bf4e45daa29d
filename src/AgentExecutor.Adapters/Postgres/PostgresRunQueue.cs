using System.Collections.Immutable;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// The run queue in tables. A waiting run is a row of <c>runs</c>. The run that a thread executes, with its lease, is the thread's row of
/// <c>threads</c>. The table <c>queue</c> holds the next run of each thread and whether it may start. Triggers update it (see its
/// migration). Claims skip rows that are locked by others.
/// </summary>
internal sealed class PostgresRunQueue(PostgresAccess access, PostgresAccess callers) : IRunQueue, IBacklog, IAsyncDisposable
{
    // Rows that a commit has locked are being renewed by that commit. Waiting for them could cause a deadlock.
    // $1: the length of the lease in milliseconds, $2: its holder.
    private static readonly string Renew = $"""
        WITH h AS (SELECT * FROM {HeldRunRows.Table.As("h", first: 3)}),
        free AS (
            SELECT t.thread_id
            FROM $schema.threads AS t JOIN h USING (thread_id)
            WHERE t.is_held AND t.fence = h.fence AND t.holder = $2
            FOR NO KEY UPDATE OF t SKIP LOCKED),
        u AS (
            UPDATE $schema.threads AS t SET lease_until = now() + $1 * interval '1 millisecond'
            FROM free
            WHERE t.thread_id = free.thread_id)
        SELECT t.thread_id, t.fence
        FROM $schema.threads AS t JOIN h USING (thread_id)
        WHERE t.is_held AND t.fence = h.fence AND t.holder = $2
        """;

    private static readonly string UncountCrash = $"""
        UPDATE $schema.threads AS t SET crashes = t.crashes - 1
        FROM {HeldRunRows.Table.As("h")}
        WHERE t.thread_id = h.thread_id AND t.fence > h.fence AND t.crashes > 0
        """;

    private const string CancelRequests = """
        SELECT thread_id, fence FROM $schema.threads
        WHERE is_held AND cancel_requested AND holder = $1
        """;

    /// <summary>How long to retry while a caller waits for the answer.</summary>
    private static readonly TimeSpan CallerPatience = TimeSpan.FromSeconds(5);

    private readonly PostgresListener _listener = new(access, "runs");
    private readonly ServerClock _clock = new(access.Time);

    public async ValueTask<ImmutableArray<SubmittedRun>> SubmitAsync(
        ImmutableArray<RunSubmission> submissions,
        Lease? claimLease,
        CancellationToken cancellationToken
    )
    {
        var answers = new SubmittedRun?[submissions.Length];
        while (true)
        {
            await callers.RunAsync(
                (connection, cancel) => PostgresSubmit.RunAsync(connection, submissions, answers, claimLease, cancel),
                cancellationToken,
                CallerPatience
            );
            var waiting = submissions
                .Where((_, index) => answers[index] is null)
                .Select(submission => submission.Run.ThreadId)
                .Distinct()
                .ToList();
            if (waiting.Count == 0)
            {
                return [.. answers!];
            }
            // A new thread with the same id starts once nothing of the old one is left. None of these runs was claimed, because its
            // lease would not be renewed in the meantime.
            await PostgresDeletion.FinishAsync(callers, waiting, CallerPatience, cancellationToken);
        }
    }

    public async ValueTask<Run?> FindAsync(string threadId, string runId, CancellationToken cancellationToken) =>
        await callers.RunAsync(
            async (connection, cancel) => (await CurrentRun.FindAsync(connection, threadId, runId, cancel))?.Run,
            cancellationToken,
            CallerPatience
        );

    public async ValueTask<Backlog> MeasureAsync(CancellationToken cancellationToken) =>
        await callers.RunAsync(PostgresBacklog.MeasureAsync, cancellationToken, TimeSpan.Zero);

    public async ValueTask<ImmutableArray<ClaimedRun>> ClaimAsync(Lease lease, int atMost, CancellationToken cancellationToken) =>
        await access.RunAsync(
            (connection, cancel) => PostgresClaim.RunAsync(connection, lease, atMost, cancel),
            cancellationToken,
            TimeSpan.Zero
        );

    public async ValueTask<ImmutableHashSet<HeldRun>> RenewAsync(
        Lease lease,
        ImmutableArray<HeldRun> held,
        CancellationToken cancellationToken
    ) =>
        await access.RunAsync(
            async (connection, cancel) =>
            {
                await using var command = connection.With(
                    Renew,
                    [lease.Length.TotalMilliseconds, lease.Holder, .. HeldRunRows.Table.Parameters(held)]
                );
                return (await ReadHeldAsync(command, cancel)).ToImmutableHashSet();
            },
            cancellationToken,
            TimeSpan.Zero
        );

    public async ValueTask<ImmutableArray<RescuedRun>> RescueAsync(
        ImmutableArray<HeldRun> held,
        TimeSpan afterStart,
        CancellationToken cancellationToken
    ) =>
        await access.RunAsync(
            (connection, cancel) => PostgresRescue.RunAsync(connection, held, afterStart, _clock, cancel),
            cancellationToken,
            TimeSpan.Zero
        );

    public async ValueTask UncountCrashAsync(ImmutableArray<HeldRun> lost, CancellationToken cancellationToken) =>
        await access.RunAsync(
            (connection, cancel) => connection.RunAsync(UncountCrash, [.. HeldRunRows.Table.Parameters(lost)], cancel),
            cancellationToken,
            TimeSpan.Zero
        );

    public async ValueTask<bool> RequestCancelAsync(string threadId, string runId, CancellationToken cancellationToken) =>
        await callers.RunAsync(
            (connection, cancel) =>
                connection.RunAsync(
                    """
                    UPDATE $schema.threads SET cancel_requested = true
                    WHERE thread_id = $1 AND run_id = $2 AND is_held AND status = 'running'
                    """,
                    [threadId, runId],
                    cancel
                ),
            cancellationToken,
            CallerPatience
        ) > 0;

    public async ValueTask<ImmutableArray<HeldRun>> FindCancelRequestsAsync(Lease lease, CancellationToken cancellationToken) =>
        await access.RunAsync(
            async (connection, cancel) =>
            {
                await using var command = connection.With(CancelRequests, lease.Holder);
                return (await ReadHeldAsync(command, cancel)).ToImmutableArray();
            },
            cancellationToken,
            TimeSpan.Zero
        );

    public async ValueTask DisposeAsync()
    {
        await access.DisposeAsync();
        await callers.DisposeAsync();
    }

    public Task WaitAsync(CancellationToken cancellationToken) => _listener.WaitAsync(cancellationToken);

    private static async Task<List<HeldRun>> ReadHeldAsync(PostgresCommand command, CancellationToken cancellationToken)
    {
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var found = new List<HeldRun>();
        while (await row.ReadAsync(cancellationToken))
        {
            found.Add(new HeldRun(row.Text("thread_id"), row.Number("fence")));
        }
        return found;
    }
}
