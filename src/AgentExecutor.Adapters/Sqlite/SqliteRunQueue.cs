using System.Collections.Immutable;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Runs.Transitions;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// The queue in the database file. A run that waits, and the lease of one that a worker has, are columns of its row. Whatever changes them follows each other
/// in the one thread that writes, so claimers at once need no locks. Whoever waits is woken within the process, which has the file for itself.
/// </summary>
internal sealed class SqliteRunQueue(SqliteAccess access) : IRunQueue
{
    private Task _wake = access.Runs.Next;

    public async ValueTask<ImmutableArray<SubmittedRun>> SubmitAsync(
        ImmutableArray<RunSubmission> submissions, Lease? takeFor, CancellationToken cancellationToken)
    {
        var told = await access.WriteAsync(database => SqliteSubmit.Apply(database, submissions, takeFor, access.Time.GetUtcNow()), cancellationToken);
        if (told.Any(it => it.IsNew && it.Claimed is null))
        {
            access.Runs.Give();
        }
        return told;
    }

    public ValueTask<ImmutableArray<ClaimedRun>> ClaimAsync(Lease lease, int atMost, CancellationToken cancellationToken) =>
        access.WriteAsync(database => SqliteClaim.Apply(database, lease, atMost, access.Time.GetUtcNow()), cancellationToken);

    public ValueTask<ImmutableHashSet<HeldRun>> RenewAsync(Lease lease, ImmutableArray<HeldRun> held, CancellationToken cancellationToken) => access.WriteAsync(
        database =>
        {
            var until = access.Now + (long)lease.Length.TotalMilliseconds;
            return held.Where(run => database.Run(
                "UPDATE runs INDEXED BY runs_held SET lease_until = $4 WHERE thread_id = $1 AND fence = $2 AND is_held AND holder = $3", run.ThreadId, run.Fence, lease.Holder, until) > 0)
                .ToImmutableHashSet();
        },
        cancellationToken);

    public async ValueTask<ImmutableArray<RescuedRun>> RescueAsync(TimeSpan afterStart, CancellationToken cancellationToken)
    {
        if (access.Age < afterStart)
        {
            return [];
        }
        var rescued = await access.WriteAsync(Rescue, cancellationToken);
        if (!rescued.IsEmpty)
        {
            access.Runs.Give();
        }
        return rescued;
    }

    public ValueTask AcquitAsync(ImmutableArray<HeldRun> lost, CancellationToken cancellationToken) => access.WriteAsync(
        database =>
        {
            foreach (var run in lost)
            {
                database.Run(
                    """
                    UPDATE runs SET crashes = crashes - 1
                    WHERE thread_id = $1 AND fence = (SELECT max(fence) FROM runs AS n WHERE n.thread_id = $1) AND fence > $2 AND crashes > 0
                    """, run.ThreadId, run.Fence);
            }
        },
        cancellationToken);

    public ValueTask<Run?> FindAsync(string threadId, string runId, CancellationToken cancellationToken) => ValueTask.FromResult(access.Read(database =>
    {
        using var row = database.Query($"SELECT {SqliteRows.RunColumns} FROM runs WHERE thread_id = $1 AND run_id = $2", threadId, runId);
        return row.Read() ? SqliteRows.ReadRun(row) : null;
    }));

    public ValueTask<bool> AskToCancelAsync(string threadId, CancellationToken cancellationToken) => access.WriteAsync(
        database => database.Run("UPDATE runs INDEXED BY runs_held SET cancel_requested = 1 WHERE thread_id = $1 AND is_held", threadId) > 0, cancellationToken);

    public ValueTask<ImmutableArray<HeldRun>> CancelledAsync(Lease lease, CancellationToken cancellationToken) => ValueTask.FromResult(access.Read(database =>
    {
        var asked = ImmutableArray.CreateBuilder<HeldRun>();
        using var row = database.Query("SELECT thread_id, fence FROM runs WHERE is_held AND cancel_requested AND holder = $1", lease.Holder);
        while (row.Read())
        {
            asked.Add(new HeldRun(row.GetString(0), row.GetInt64(1)));
        }
        return asked.ToImmutable();
    }));

    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        await Volatile.Read(ref _wake).WaitAsync(cancellationToken);
        Volatile.Write(ref _wake, access.Runs.Next); // what comes while nobody waits is kept for the next
    }

    private ImmutableArray<RescuedRun> Rescue(SqliteStatements database)
    {
        var rescued = ImmutableArray.CreateBuilder<RescuedRun>();
        using var row = database.Query( // job itself is returned: SQLite 3.40 says of every job IS NOT NULL here that it is
            """
            UPDATE runs SET fence = fence + 1, is_held = 0, lease_until = NULL, crashes = crashes + 1, status = 'pending', last_sequence = last_sequence + $2
            WHERE is_held AND lease_until <= $1 RETURNING thread_id, run_id, crashes, job
            """, access.Now, Start.SequenceGap);
        while (row.Read())
        {
            rescued.Add(new RescuedRun(row.GetString(0), row.GetString(1), row.GetInt32(2), !row.IsDBNull(3)));
        }
        return rescued.ToImmutable();
    }
}
