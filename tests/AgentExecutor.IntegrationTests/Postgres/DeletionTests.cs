using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.IntegrationTests.Servers;
using Npgsql;

namespace AgentExecutor.IntegrationTests.Postgres;

/// <summary>Interruptions of the deletion of a thread, and statements that the database refuses.</summary>
public sealed class DeletionTests(PostgresFixture postgres) : IAsyncLifetime
{
    private static readonly Lease Lease = new("worker", TimeSpan.FromMinutes(5));

    private ThreadStore _store = null!;
    private DeletionBlocker _blocker = null!;
    private string _schema = "";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var settings = await postgres.SchemaAsync() with { LockTimeoutSeconds = 0.3 };
        _schema = settings.Schema;
        (_store, _blocker) = (await PostgresFixture.OpenAsync(settings), new DeletionBlocker(await postgres.ServerAsync(), _schema));
    }

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task A_row_that_stays_locked_interrupts_a_deletion_which_is_finished_later()
    {
        await EndAsync("t");
        await using (await _blocker.LockAsync("t"))
        {
            Assert.Equal(FaultCodes.StoreTimeout, (await Assert.ThrowsAsync<FaultException>(() => DeleteAsync("t"))).Code);
        }

        await AssertNothingRunsAndTheDeletionCanBeFinishedAsync("t");
    }

    [Fact]
    public async Task A_statement_timeout_interrupts_a_deletion_which_is_finished_later()
    {
        await EndAsync("t");
        var settings = PostgresFixture.Settings(await postgres.ServerAsync()) with
        {
            Schema = _schema,
            StatementTimeoutSeconds = 0.3,
            LockTimeoutSeconds = 60,
        };
        await using (var impatient = await PostgresFixture.OpenAsync(settings))
        await using (await _blocker.LockAsync("t"))
        {
            var fault = await Assert.ThrowsAsync<FaultException>(async () => await impatient.Checkpoints.DeleteThreadAsync("t", Cancel));
            Assert.Equal(FaultCodes.StoreTimeout, fault.Code);
            Assert.Contains("57014", fault.Message, StringComparison.Ordinal);
        }

        await AssertNothingRunsAndTheDeletionCanBeFinishedAsync("t");
    }

    [Fact]
    public async Task A_connection_that_breaks_interrupts_a_deletion_which_is_finished_later()
    {
        await EndAsync("t");
        await using (var locked = await _blocker.LockAsync("t"))
        {
            var deleting = DeleteAsync("t");
            await _blocker.WaitForBlockedAsync(locked);
            await _blocker.TerminateBlockedAsync(locked);
            Assert.Equal(FaultCodes.StoreUnavailable, (await Assert.ThrowsAsync<FaultException>(() => deleting)).Code);
        }

        await AssertNothingRunsAndTheDeletionCanBeFinishedAsync("t");
    }

    [Fact]
    public async Task A_job_whose_old_thread_cannot_be_deleted_is_refused_with_the_reason()
    {
        await EndAsync("t");
        await _blocker.InterruptAsync(cancel => _store.Checkpoints.DeleteThreadAsync("t", cancel), "t");
        await using (await _blocker.LockAsync("t"))
        {
            var fault = await Assert.ThrowsAsync<FaultException>(async () =>
                await _store.Queue!.SubmitAsync([Submission("t")], Lease, Cancel)
            );
            Assert.Equal((FaultCodes.StoreTimeout, true), (fault.Code, fault.IsTransient));
            Assert.Contains("'t'", fault.Message, StringComparison.Ordinal);
        }

        Assert.NotNull((await _store.Queue!.SubmitAsync([Submission("t")], Lease, Cancel))[0].Claimed);
        Assert.Equal(2, await _blocker.RowsOfAsync("t"));
    }

    [Fact]
    public async Task A_batch_with_a_thread_that_cannot_be_deleted_is_refused_promptly_as_a_whole()
    {
        await EndAsync("t");
        await _blocker.InterruptAsync(cancel => _store.Checkpoints.DeleteThreadAsync("t", cancel), "t");
        var settings = PostgresFixture.Settings(await postgres.ServerAsync()) with
        {
            Schema = _schema,
            StatementTimeoutSeconds = 60,
            LockTimeoutSeconds = 60,
        };
        await using var patient = await PostgresFixture.OpenAsync(settings);
        await using (await _blocker.LockAsync("t"))
        {
            var submitting = patient.Queue!.SubmitAsync([Submission("t"), Submission("beside")], Lease, Cancel).AsTask();
            var fault = await Assert.ThrowsAsync<FaultException>(() => submitting.WaitAsync(TimeSpan.FromSeconds(20), Cancel));
            Assert.Equal((FaultCodes.StoreTimeout, true), (fault.Code, fault.IsTransient));

            Assert.Equal("beside", Assert.Single(await _store.Queue!.ClaimAsync(Lease, 10, Cancel)).Run.ThreadId);
        }
    }

    /// <summary>
    /// During a rolling upgrade, the previous version does not know that the thread is being deleted.
    /// </summary>
    [Fact]
    public async Task A_run_that_an_older_program_stores_on_a_thread_that_is_being_deleted_is_kept()
    {
        await EndAsync("t");
        await _blocker.InterruptAsync(cancel => _store.Checkpoints.DeleteThreadAsync("t", cancel), "t");
        await _blocker.ExecuteAsync(
            """
            INSERT INTO runs (thread_id, run_id, status, name, trace_id, definition_hash, created_at, updated_at, usage, is_queued, input)
            SELECT 't', 'next', 'pending', '', '', 'h', now(), now(), usage, true, '{}' FROM threads WHERE thread_id = 't'
            """
        );
        Assert.Empty(await _store.Queue!.ClaimAsync(Lease, 10, Cancel));

        await DeleteAsync("t");

        Assert.Equal("next", Assert.Single(await _store.Queue.ClaimAsync(Lease, 10, Cancel)).Run.RunId);
        Assert.Null(await _store.Checkpoints.LoadAsync("t", "", null, Cancel));
    }

    [Theory]
    [InlineData("UPDATE threads SET status = 'pending' WHERE thread_id = 'ended'")]
    [InlineData("UPDATE threads SET status = 'running' WHERE thread_id = 'ended'")]
    [InlineData("UPDATE threads SET is_held = true, holder = 'x', lease_until = now() WHERE thread_id = 'ended'")]
    [InlineData("UPDATE threads SET status = 'pending', finished_at = NULL WHERE thread_id = 'deleting'")]
    [InlineData("UPDATE threads SET status = 'running', is_held = true, finished_at = NULL WHERE thread_id = 'deleting'")]
    [InlineData("UPDATE threads SET is_held = true WHERE thread_id = 'deleting'")]
    [InlineData("UPDATE runs SET status = 'pending' WHERE thread_id = 'ended'")]
    [InlineData("UPDATE runs SET status = 'running' WHERE thread_id = 'ended'")]
    public async Task The_database_refuses_to_queue_threads_that_have_ended_or_are_being_deleted(string sql)
    {
        await EndAsync("ended");
        await EndAsync("deleting");
        await _blocker.InterruptAsync(cancel => _store.Checkpoints.DeleteThreadAsync("deleting", cancel), "deleting");

        var refused = await Assert.ThrowsAsync<PostgresException>(() => _blocker.ExecuteAsync(sql));

        Assert.Equal(PostgresErrorCodes.CheckViolation, refused.SqlState);
    }

    private Task DeleteAsync(string threadId) => _store.Checkpoints.DeleteThreadAsync(threadId, Cancel).AsTask();

    private async Task AssertNothingRunsAndTheDeletionCanBeFinishedAsync(string threadId)
    {
        await _blocker.ExpireLeasesAsync();
        Assert.Empty(await _store.Queue!.RescueAsync([], TimeSpan.Zero, Cancel));
        Assert.Empty(await _store.Queue.ClaimAsync(Lease, 10, Cancel));
        Assert.Null(await _store.Runs.FindAsync(threadId, Cancel));
        Assert.NotEqual(0, await _blocker.RowsOfAsync(threadId));
        await DeleteAsync(threadId);
        Assert.Equal(0, await _blocker.RowsOfAsync(threadId));
    }

    private Task EndAsync(string threadId) => DeletionBlocker.EndAsync(_store, threadId);

    private static RunSubmission Submission(string threadId) => DeletionBlocker.Submission(threadId);
}
