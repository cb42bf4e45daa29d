using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;
using AgentExecutor.Tests.Jobs;

namespace AgentExecutor.Tests.Workers;

/// <summary>Runs with a request to cancel whose worker was lost.</summary>
public sealed class LostRunCancelTests : IAsyncDisposable
{
    private readonly JobService _service = new();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task A_run_that_cannot_be_cancelled_does_not_prevent_others_from_being_cancelled()
    {
        string[] jobs = ["a", "b", "c"];
        foreach (var job in jobs)
        {
            await _service.AdmitAsync(JobService.Job(job));
        }
        var lost = await _service.Queue.ClaimAsync(new Lease("lost", TimeSpan.FromMilliseconds(1)), 3, JobService.Cancel);
        Assert.Equal(3, lost.Length);
        foreach (var job in jobs)
        {
            Assert.True(await _service.Queue.RequestCancelAsync(job, job, JobService.Cancel));
        }
        var refusing = new RefusingStore(_service.Store, "b");
        _service.Control = new RunControl(new RunServices(refusing, _service.Events, _service.Time), _service.Store, _service.Queue);

        _service.StartWorker();
        await _service.HasStatusAsync("a", RunStatus.Cancelled);
        await _service.HasStatusAsync("c", RunStatus.Cancelled);
        await Eventually.True(() => Task.FromResult(refusing.Refusals >= 2)); // and it is tried again
        refusing.Refused = "";

        await _service.HasStatusAsync("b", RunStatus.Cancelled);
    }

    /// <summary>Refuses the commits of one thread.</summary>
    private sealed class RefusingStore(ICheckpointStore store, string refused) : ICheckpointStore
    {
        private int _refusals;

        public string Refused { get; set; } = refused;

        public int Refusals => Volatile.Read(ref _refusals);

        public ValueTask CommitAsync(StepCommit commit, CancellationToken cancellationToken)
        {
            if (commit.ThreadId != Refused)
            {
                return store.CommitAsync(commit, cancellationToken);
            }
            Interlocked.Increment(ref _refusals);
            throw new FaultException(FaultCodes.StoreRefused, "the store refused the commit");
        }

        public ValueTask<LoadedCheckpoint?> LoadAsync(
            string threadId,
            string ns,
            string? checkpointId,
            CancellationToken cancellationToken
        ) => store.LoadAsync(threadId, ns, checkpointId, cancellationToken);

        public IAsyncEnumerable<StoredCheckpoint> ListAsync(CheckpointQuery query, CancellationToken cancellationToken) =>
            store.ListAsync(query, cancellationToken);

        public ValueTask<StoredToolCall?> FindToolCallAsync(string threadId, string taskId, CancellationToken cancellationToken) =>
            store.FindToolCallAsync(threadId, taskId, cancellationToken);

        public ValueTask CopyThreadAsync(string threadId, string checkpointId, string toThreadId, CancellationToken cancellationToken) =>
            store.CopyThreadAsync(threadId, checkpointId, toThreadId, cancellationToken);

        public ValueTask DeleteThreadAsync(string threadId, CancellationToken cancellationToken) =>
            store.DeleteThreadAsync(threadId, cancellationToken);

        public ValueTask<int> PruneAsync(string threadId, int keep, CancellationToken cancellationToken) =>
            store.PruneAsync(threadId, keep, cancellationToken);
    }
}
