using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using Xunit;

namespace AgentExecutor.Conformance.Queues;

/// <summary>The contract of <see cref="IRetentionStore"/> and of the lists that the janitor reads.</summary>
public abstract class RetentionContract : IAsyncLifetime
{
    private const int MoreThanAPage = 250;

    private static readonly Lease Lease = new("worker", TimeSpan.FromMinutes(5));
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    protected IRunQueue Queue { get; private set; } = null!;

    protected ICheckpointStore Checkpoints { get; private set; } = null!;

    protected IRunStore Runs { get; private set; } = null!;

    protected IRetentionStore Retention { get; private set; } = null!;

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Creates an empty store, and returns its interfaces.</summary>
    protected abstract ValueTask<(IRunQueue Queue, ICheckpointStore Checkpoints, IRunStore Runs, IRetentionStore Retention)> MakeAsync();

    /// <summary>Lets enough time pass so that definitions without a run are deleted by the second sweep.</summary>
    protected virtual Task AgeDefinitionsAsync() => Task.CompletedTask;

    public async ValueTask InitializeAsync() => (Queue, Checkpoints, Runs, Retention) = await MakeAsync();

    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Each_thread_is_listed_once_most_recently_created_first()
    {
        for (var i = 0; i < MoreThanAPage; i++)
        {
            await CommitAsync($"t{i:000}", Start.AddMinutes(i / 2), i % 2 == 0 ? RunStatus.Interrupted : RunStatus.Failed);
        }

        var all = await ListAsync(new RunQuery());

        Assert.Equal(Enumerable.Range(0, MoreThanAPage).Reverse().Select(i => $"t{i:000}"), all);
        Assert.Equal(all.Where(id => int.Parse(id[1..], null) % 2 == 0), await ListAsync(new RunQuery(RunStatus.Interrupted)));
        Assert.Equal(all.Take(210), await ListAsync(new RunQuery(Limit: 210)));
        Assert.Equal(all.Skip(5).Take(3), await ListAsync(new RunQuery(Limit: 3, Skip: 5)));
    }

    [Fact]
    public async Task Ended_threads_are_listed_most_recently_ended_first_even_while_some_are_deleted()
    {
        for (var i = 0; i < MoreThanAPage; i++)
        {
            await CommitAsync($"t{i:000}", Start.AddMinutes(i), RunStatus.Completed);
        }
        await CommitAsync("open", Start, RunStatus.Interrupted);
        var seen = new List<string>();

        await foreach (var run in Runs.ListAsync(new RunQuery(FinishedBefore: Start.AddMinutes(240), Skip: 10), Cancel))
        {
            seen.Add(run.ThreadId);
            await Checkpoints.DeleteThreadAsync(run.ThreadId, Cancel);
        }

        Assert.Equal(Enumerable.Range(0, 230).Reverse().Select(i => $"t{i:000}"), seen);
        Assert.Equal(21, (await ListAsync(new RunQuery())).Count);
    }

    [Fact]
    public async Task Definitions_that_no_run_refers_to_are_deleted()
    {
        await SubmitAsync("kept", "used");
        await EndAsync("gone", "unused");
        await Checkpoints.DeleteThreadAsync("gone", Cancel);

        await DropTwiceAsync();

        Assert.NotNull(await Runs.FindDefinitionAsync("used", Cancel));
        Assert.Null(await Runs.FindDefinitionAsync("unused", Cancel));
        await SubmitAsync("again", "unused");
        Assert.NotNull(await Runs.FindDefinitionAsync("unused", Cancel));
    }

    [Fact]
    public async Task A_definition_that_is_submitted_while_it_is_being_deleted_is_kept()
    {
        for (var round = 0; round < 10; round++)
        {
            await EndAsync("t", "d");
            await Checkpoints.DeleteThreadAsync("t", Cancel);

            await Task.WhenAll(Task.Run(DropTwiceAsync, Cancel), Task.Run(async () => await SubmitAsync($"n{round}", "d"), Cancel));
            await DropTwiceAsync();

            Assert.Equal($"n{round}", Assert.Single(await Queue.ClaimAsync(Lease, 10, Cancel)).Run.ThreadId);
        }
    }

    private async Task DropTwiceAsync()
    {
        for (var look = 0; look < 2; look++)
        {
            await AgeDefinitionsAsync();
            await Retention.DropDefinitionsAsync(100, Cancel);
        }
    }

    private async Task<List<string>> ListAsync(RunQuery query) =>
        await Runs.ListAsync(query, Cancel).Select(run => run.ThreadId).ToListAsync(Cancel);

    private async Task CommitAsync(string thread, DateTimeOffset created, RunStatus status) =>
        await Checkpoints.CommitAsync(
            new StepCommit
            {
                ThreadId = thread,
                Fence = 1,
                Run = Run(thread, "h") with { Status = status, Fence = 1, CreatedAt = created, UpdatedAt = created },
            },
            Cancel
        );

    private async Task<SubmittedRun> SubmitAsync(string thread, string definition, Lease? claimLease = null) =>
        (
            await Queue.SubmitAsync(
                [new RunSubmission(Run(thread, definition), new StoredDefinition(definition, "{}"u8.ToArray()), "{}"u8.ToArray())],
                claimLease,
                Cancel
            )
        )[0];

    private async Task EndAsync(string thread, string definition)
    {
        var run = (await SubmitAsync(thread, definition, Lease)).Claimed!.Run;
        await Checkpoints.CommitAsync(
            new StepCommit
            {
                ThreadId = thread,
                Fence = run.Fence,
                Run = run with { Status = RunStatus.Completed, LastSequence = 1 },
                Lease = Lease,
            },
            Cancel
        );
    }

    private static Run Run(string thread, string definition) =>
        new()
        {
            ThreadId = thread,
            RunId = "r",
            DefinitionHash = definition,
            CreatedAt = TimeProvider.System.GetUtcNow(),
            UpdatedAt = TimeProvider.System.GetUtcNow(),
        };
}
