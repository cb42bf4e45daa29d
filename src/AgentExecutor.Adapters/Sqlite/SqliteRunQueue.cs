using System.Collections.Immutable;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// The run queue in the database file. The state of a waiting run, and the lease of a claimed one, are columns of its row. The single
/// writer thread applies all changes one after the other, so concurrent claims need no locks. Only one process uses the file, so waiting
/// workers are notified within the process.
/// </summary>
internal sealed class SqliteRunQueue(SqliteAccess access) : IRunQueue, IBacklog
{
    private const string Renew = """
        UPDATE runs INDEXED BY runs_held SET lease_until = $4
        WHERE thread_id = $1 AND fence = $2 AND is_held AND holder = $3
        """;

    private const string UncountCrash = """
        UPDATE runs SET crashes = crashes - 1
        WHERE thread_id = $1 AND fence > $2 AND crashes > 0
            AND fence = (SELECT max(fence) FROM runs AS n WHERE n.thread_id = $1)
        """;

    private const string Find = $"SELECT {SqliteRows.RunColumns} FROM runs WHERE thread_id = $1 AND run_id = $2";

    private const string RequestCancel = """
        UPDATE runs INDEXED BY runs_held SET cancel_requested = 1
        WHERE thread_id = $1 AND run_id = $2 AND is_held AND status = 'running'
        """;

    private const string CancelRequests = "SELECT thread_id, fence FROM runs WHERE is_held AND cancel_requested AND holder = $1";

    private const string ExpiredLeases = """
        SELECT thread_id, fence, CASE WHEN cancel_requested THEN run_id END AS run_to_cancel
        FROM runs
        WHERE is_held AND lease_until <= $1
        """;

    // Returns job itself, because SQLite 3.40 evaluates "job IS NOT NULL" in this RETURNING clause as true for every row.
    private const string EndLease = """
        UPDATE runs SET
            fence = fence + 1, is_held = 0, lease_until = NULL, crashes = crashes + 1, status = 'pending',
            last_sequence = last_sequence + $3
        WHERE thread_id = $1 AND fence = $2 AND is_held AND status = 'running'
        RETURNING run_id, crashes, job
        """;

    private Task _nextChange = access.Runs.Next;

    public async ValueTask<ImmutableArray<SubmittedRun>> SubmitAsync(
        ImmutableArray<RunSubmission> submissions,
        Lease? claimLease,
        CancellationToken cancellationToken
    )
    {
        var submitted = await access.WriteAsync(
            database => SqliteSubmit.Apply(database, submissions, claimLease, access.UtcNow),
            cancellationToken
        );
        if (submitted.Any(it => it.IsNew && it.Claimed is null))
        {
            access.Runs.Set();
        }
        return submitted;
    }

    public async ValueTask<ImmutableArray<ClaimedRun>> ClaimAsync(Lease lease, int atMost, CancellationToken cancellationToken)
    {
        var (claimed, hasMore) = await access.WriteAsync(
            database => SqliteClaim.Apply(database, lease, atMost, access.UtcNow),
            cancellationToken
        );
        if (hasMore)
        {
            // The next claim considers the remaining rows.
            access.Runs.Set();
        }
        return claimed;
    }

    public ValueTask<ImmutableHashSet<HeldRun>> RenewAsync(
        Lease lease,
        ImmutableArray<HeldRun> held,
        CancellationToken cancellationToken
    ) =>
        access.WriteAsync(
            database =>
            {
                var until = access.Now + (long)lease.Length.TotalMilliseconds;
                return held.Where(run => database.Run(Renew, run.ThreadId, run.Fence, lease.Holder, until) > 0).ToImmutableHashSet();
            },
            cancellationToken
        );

    public async ValueTask<ImmutableArray<RescuedRun>> RescueAsync(
        ImmutableArray<HeldRun> held,
        TimeSpan afterStart,
        CancellationToken cancellationToken
    )
    {
        if (access.Age < afterStart)
        {
            return [];
        }
        // Is read before the write. If the process is suspended until the write is executed, no further leases count as expired.
        var now = access.Now;
        var rescued = await access.WriteAsync(database => Rescue(database, held, now), cancellationToken);
        if (!rescued.IsEmpty)
        {
            access.Runs.Set();
        }
        return rescued;
    }

    public ValueTask UncountCrashAsync(ImmutableArray<HeldRun> lost, CancellationToken cancellationToken) =>
        access.WriteAsync(
            database =>
            {
                foreach (var run in lost)
                {
                    database.Run(UncountCrash, run.ThreadId, run.Fence);
                }
            },
            cancellationToken
        );

    public ValueTask<Run?> FindAsync(string threadId, string runId, CancellationToken cancellationToken) =>
        ValueTask.FromResult(
            access.Read(database =>
            {
                using var row = database.Query(Find, threadId, runId);
                return row.Read() ? SqliteRows.ReadRun(row) : null;
            })
        );

    public ValueTask<bool> RequestCancelAsync(string threadId, string runId, CancellationToken cancellationToken) =>
        access.WriteAsync(database => database.Run(RequestCancel, threadId, runId) > 0, cancellationToken);

    public ValueTask<ImmutableArray<HeldRun>> FindCancelRequestsAsync(Lease lease, CancellationToken cancellationToken) =>
        ValueTask.FromResult(
            access.Read(database =>
            {
                var requested = ImmutableArray.CreateBuilder<HeldRun>();
                using var row = database.Query(CancelRequests, lease.Holder);
                while (row.Read())
                {
                    requested.Add(new HeldRun(row.Text("thread_id"), row.Number("fence")));
                }
                return requested.ToImmutable();
            })
        );

    public ValueTask<Backlog> MeasureAsync(CancellationToken cancellationToken) => SqliteBacklog.MeasureAsync(access, cancellationToken);

    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        await Volatile.Read(ref _nextChange).WaitAsync(cancellationToken);
        // A change that happens before the next call completes that call at once.
        Volatile.Write(ref _nextChange, access.Runs.Next);
    }

    private static ImmutableArray<RescuedRun> Rescue(SqliteStatements database, ImmutableArray<HeldRun> held, long now)
    {
        var rescued = ImmutableArray.CreateBuilder<RescuedRun>();
        foreach (var (lost, toCancel) in Expired(database, now).Where(expired => !held.Contains(expired.Lost)))
        {
            if (toCancel is not null)
            {
                rescued.Add(new RescuedRun(lost.ThreadId, toCancel, 0, false) { IsToCancel = true });
                continue;
            }
            using var row = database.Query(EndLease, lost.ThreadId, lost.Fence, Start.SequenceGap);
            while (row.Read())
            {
                rescued.Add(new RescuedRun(lost.ThreadId, row.Text("run_id"), row.Integer("crashes"), !row.IsNull("job")));
            }
        }
        return rescued.ToImmutable();
    }

    /// <summary>Returns the runs whose leases have expired, each with its id if there is a request to cancel it.</summary>
    private static List<(HeldRun Lost, string? ToCancel)> Expired(SqliteStatements database, long now)
    {
        var expired = new List<(HeldRun, string?)>();
        using var row = database.Query(ExpiredLeases, now);
        while (row.Read())
        {
            expired.Add((new HeldRun(row.Text("thread_id"), row.Number("fence")), row.OptionalText("run_to_cancel")));
        }
        return expired;
    }
}
