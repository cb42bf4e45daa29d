using System.Text;
using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Tests.Sqlite;

/// <summary>
/// What the embedded queue, outbox and bus do beyond their contracts: they outlive the process, and share the file with the commands.
/// </summary>
public sealed class SqliteServiceTests : IAsyncLifetime
{
    private static readonly Lease Mine = new("worker-1", TimeSpan.FromSeconds(30));
    private static readonly Lease Theirs = new("worker-2", TimeSpan.FromSeconds(30));

    private readonly TempDirectory _directory = new();
    private readonly LateTime _time = new();
    private ThreadStore _store = null!;
    private IEventBus _bus = null!;

    public ValueTask InitializeAsync()
    {
        _store = AdapterCatalog.OpenSqliteService(Settings, _time);
        _bus = AdapterCatalog.OpenSqliteBus(_store, new BusSettings { AckWaitSeconds = 30 });
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _bus.DisposeAsync();
        await _store.DisposeAsync();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_running_run_is_rescued_after_a_restart()
    {
        await SubmitAsync("t", Mine);
        await SubmitAsync("waits", null);

        await ReopenAsync();

        Assert.Empty(await _store.Queue!.RescueAsync([], TimeSpan.Zero, Cancel)); // its lease is still valid
        _time.Late = TimeSpan.FromSeconds(31);
        // Its holder could not renew it while the store was closed.
        Assert.Empty(await _store.Queue.RescueAsync([], TimeSpan.FromMinutes(1), Cancel));
        Assert.Equal(
            new RescuedRun("t", "r", 1, true),
            Assert.Single(await _store.Queue.RescueAsync([], TimeSpan.FromSeconds(10), Cancel))
        );
        var claimed = await _store.Queue.ClaimAsync(Theirs, 10, Cancel);
        Assert.Equal(
            ["t 1 2 go", "waits 0 1 go"],
            claimed.Select(it => $"{it.Run.ThreadId} {it.Crashes} {it.Run.Attempt} {Encoding.UTF8.GetString(it.Input.Span)}")
        );
    }

    [Fact]
    public async Task An_outcome_is_published_once_after_a_restart()
    {
        var claimed = (await SubmitAsync("t", Mine)).Claimed!;
        await _store.Checkpoints.CommitAsync(
            Commit(claimed.Run with { Status = RunStatus.Completed, LastSequence = 7 }, Mine) with
            {
                Result = new StoredResult(7, "{}"u8.ToArray()),
            },
            Cancel
        );

        await ReopenAsync();
        Assert.Equal(1, await _store.Outbox!.RelayAsync(10, (_, _) => Task.CompletedTask, Cancel));

        await ReopenAsync();
        Assert.Equal(0, await _store.Outbox!.RelayAsync(10, (_, _) => Task.CompletedTask, Cancel));
    }

    [Fact]
    public async Task Only_unacknowledged_messages_are_redelivered_after_a_restart()
    {
        await _bus.PublishAsync(
            [.. "abc".Select(body => new BusMessage("agent.execute.demo", new[] { (byte)body }) { Id = $"{body}" })],
            Cancel
        );
        var fetched = await _bus.FetchAsync(2, TimeSpan.Zero, Cancel);
        await fetched[0].AckAsync(Cancel);

        await ReopenAsync();
        await _bus.PublishAsync([new BusMessage("agent.execute.demo", default) { Id = "a" }], Cancel);

        Assert.Equal(["c"], (await _bus.FetchAsync(9, TimeSpan.Zero, Cancel)).Select(it => it.Message.Id));
        _time.Late = TimeSpan.FromSeconds(31);
        Assert.Equal(["b 2", "c 2"], (await _bus.FetchAsync(9, TimeSpan.Zero, Cancel)).Select(it => $"{it.Message.Id} {it.Attempt}"));
    }

    [Fact]
    public async Task Messages_are_deleted_when_they_expire()
    {
        await _bus.PublishAsync([new BusMessage("agent.execute.demo", default), new BusMessage("agent.status.completed", default)], Cancel);
        _time.Late = TimeSpan.FromHours(25);

        Assert.Empty(await _bus.FetchAsync(9, TimeSpan.Zero, Cancel));

        Assert.Empty(await _bus.ReadAsync(new BusQuery(BusStream.Jobs, 9), Cancel));
        Assert.Single(await _bus.ReadAsync(new BusQuery(BusStream.Results, 9), Cancel));
    }

    [Fact]
    public async Task A_command_cannot_acquire_a_thread_that_the_service_holds()
    {
        await SubmitAsync("t", Mine);
        await using var command = AdapterCatalog.OpenSqlite(Settings);
        var run = (await command.Runs.FindAsync("t", Cancel))!;
        var take = new StepCommit
        {
            ThreadId = "t",
            Fence = 2,
            Acquires = true,
            Run = run with { RunId = "by-hand", Fence = 2 },
        };

        var fault = await Assert.ThrowsAsync<FaultException>(async () => await command.Checkpoints.CommitAsync(take, Cancel));
        Assert.Equal(FaultCodes.ThreadBusy, fault.Code);
        await _store.Checkpoints.CommitAsync(Commit(run with { Status = RunStatus.Completed }, Mine), Cancel);

        await command.Checkpoints.CommitAsync(take, Cancel);
        Assert.Equal("by-hand", (await _store.Runs.FindAsync("t", Cancel))!.RunId);
    }

    [Fact]
    public async Task A_submitted_run_whose_worker_was_lost_keeps_its_thread()
    {
        var claimed = (await SubmitAsync("t", Mine)).Claimed!.Run;
        _time.Late = TimeSpan.FromSeconds(31);
        var other = Commit(claimed with { RunId = "by-hand", Fence = 2 }, Theirs) with { Acquires = true };

        Assert.Equal(
            FaultCodes.ThreadBusy,
            (await Assert.ThrowsAsync<FaultException>(async () => await _store.Checkpoints.CommitAsync(other, Cancel))).Code
        );
        // Resumed manually.
        await _store.Checkpoints.CommitAsync(Commit(claimed with { Fence = 2 }, Theirs) with { Acquires = true }, Cancel);

        Assert.Empty(await _store.Queue!.RescueAsync([], TimeSpan.Zero, Cancel));
        Assert.Equal(
            FaultCodes.LeaseLost,
            (await Assert.ThrowsAsync<FaultException>(async () => await _store.Checkpoints.CommitAsync(Commit(claimed, Mine), Cancel))).Code
        );
    }

    [Fact]
    public async Task Resuming_a_run_manually_resets_its_crashes()
    {
        var run = (await SubmitAsync("t", Mine)).Claimed!.Run;
        _time.Late = TimeSpan.FromSeconds(31);
        Assert.Equal(1, Assert.Single(await _store.Queue!.RescueAsync([], TimeSpan.Zero, Cancel)).Crashes);
        var resumed = run with { Fence = 3 };

        await _store.Checkpoints.CommitAsync(Commit(resumed, Theirs) with { Acquires = true }, Cancel);
        await _store.Checkpoints.CommitAsync(Commit(resumed with { Status = RunStatus.Pending }, Theirs), Cancel);

        Assert.Equal(0, Assert.Single(await _store.Queue.ClaimAsync(Mine, 1, Cancel)).Crashes);
    }

    [Fact]
    public async Task Acquiring_a_thread_manually_ends_the_previous_lease()
    {
        var left = new Run
        {
            ThreadId = "t",
            RunId = "left",
            Name = "demo",
            TraceId = "",
            DefinitionHash = "h",
            Fence = 1,
            Status = RunStatus.Running,
        };
        await _store.Checkpoints.CommitAsync(Commit(left, Mine) with { Acquires = true }, Cancel);
        _time.Late = TimeSpan.FromSeconds(31);

        await _store.Checkpoints.CommitAsync(Commit(left with { RunId = "next", Fence = 2 }, Theirs) with { Acquires = true }, Cancel);

        Assert.Empty(await _store.Queue!.RescueAsync([], TimeSpan.Zero, Cancel));
        Assert.Equal([new HeldRun("t", 2)], await _store.Queue.RenewAsync(Theirs, [new HeldRun("t", 1), new HeldRun("t", 2)], Cancel));
    }

    [Fact]
    public async Task An_ended_run_stays_ended_and_a_deleted_thread_stays_deleted()
    {
        var run = (await SubmitAsync("t", Mine)).Claimed!.Run;
        await _store.Checkpoints.CommitAsync(Commit(run with { Status = RunStatus.Cancelled }, Mine), Cancel);

        foreach (var late in (StepCommit[])[Commit(run, Mine), Commit(run with { Status = RunStatus.Completed }, Mine)])
        {
            Assert.Equal(
                FaultCodes.LeaseLost,
                (await Assert.ThrowsAsync<FaultException>(async () => await _store.Checkpoints.CommitAsync(late, Cancel))).Code
            );
        }
        await _store.Checkpoints.DeleteThreadAsync("t", Cancel);
        await Assert.ThrowsAsync<FaultException>(async () => await _store.Checkpoints.CommitAsync(Commit(run, Mine), Cancel));

        Assert.Null(await _store.Runs.FindAsync("t", Cancel));
        Assert.True((await SubmitAsync("t", null)).IsNew);
    }

    [Fact]
    public async Task Waiting_runs_of_one_thread_are_listed_once()
    {
        await SubmitAsync("t", null, "r1");
        await SubmitAsync("t", null, "r0");

        Assert.Equal(["r1"], await _store.Runs.ListAsync(new RunQuery(), Cancel).Select(it => it.RunId).ToListAsync(Cancel));
        Assert.Equal("r1", (await _store.Runs.FindAsync("t", Cancel))!.RunId);
    }

    [Fact]
    public async Task A_bus_whose_store_was_closed_is_unavailable()
    {
        await _store.DisposeAsync();

        var fault = await Assert.ThrowsAsync<FaultException>(async () =>
            await _bus.PublishAsync([new BusMessage("agent.execute.demo", default)], Cancel)
        );

        Assert.Equal(FaultCodes.BusUnavailable, fault.Code);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private SqliteSettings Settings => new() { Directory = _directory.Path, SyncEveryCommit = false };

    private async Task ReopenAsync()
    {
        await _store.DisposeAsync();
        await InitializeAsync();
    }

    private async Task<SubmittedRun> SubmitAsync(string thread, Lease? claimLease, string id = "r")
    {
        var run = new Run
        {
            ThreadId = thread,
            RunId = id,
            Name = "demo",
            TraceId = "",
            DefinitionHash = "h",
            CreatedAt = _time.GetUtcNow(),
            UpdatedAt = _time.GetUtcNow(),
        };
        return (
            await _store.Queue!.SubmitAsync(
                [new RunSubmission(run, new StoredDefinition("h", "{}"u8.ToArray()), "go"u8.ToArray())],
                claimLease,
                Cancel
            )
        )[0];
    }

    private static StepCommit Commit(Run run, Lease lease) =>
        new()
        {
            ThreadId = run.ThreadId,
            Fence = run.Fence,
            Run = run,
            Lease = lease,
        };

    /// <summary>The system's clock, set forward.</summary>
    private sealed class LateTime : TimeProvider
    {
        public TimeSpan Late { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Late;

        public override long GetTimestamp() => base.GetTimestamp() + (long)(Late.TotalSeconds * TimestampFrequency);
    }
}
