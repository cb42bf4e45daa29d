using System.Collections.Immutable;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Tests.Jobs;

public sealed class OutcomeWaitersTests : IAsyncDisposable
{
    private static readonly RunKey Key = new("a", "a");

    private readonly JobService _service = new();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task All_waiting_callers_except_cancelled_ones_receive_the_outcome()
    {
        using var impatient = new CancellationTokenSource();
        var waiting = Enumerable.Range(0, 3).Select(_ => _service.Waiters.WaitAsync(Key, 0, JobService.Cancel)).ToList();
        var gaveUp = _service.Waiters.WaitAsync(Key, 0, impatient.Token);
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gaveUp);
        Assert.All(waiting, wait => Assert.False(wait.IsCompleted));

        _service.StartWorker();
        await _service.SendAsync(JobService.Job("a"));

        Assert.All(
            await Task.WhenAll(waiting).WaitAsync(Eventually.Limit, JobService.Cancel),
            outcome => Assert.Equal(RunStatus.Completed, outcome.Status)
        );
    }

    [Fact]
    public async Task A_delivered_outcome_is_forgotten()
    {
        var wait = _service.Waiters.WaitAsync(Key, 0, JobService.Cancel);
        _service.Waiters.Notify(Outcome(RunStatus.Interrupted));
        Assert.Equal(RunStatus.Interrupted, (await wait).Status);

        var next = _service.Waiters.WaitAsync(Key, 0, JobService.Cancel);
        Assert.False(next.IsCompleted);
        _service.Waiters.Notify(Outcome(RunStatus.Completed) with { Run = new RunKey("b", "b") });
        Assert.False(next.IsCompleted);
        _service.Waiters.Notify(Outcome(RunStatus.Completed));

        Assert.Equal(RunStatus.Completed, (await next).Status);
    }

    [Fact]
    public async Task Outcomes_that_other_processes_stored_are_found()
    {
        using var stopping = new CancellationTokenSource();
        var looking = _service.Waiters.RunAsync(stopping.Token);
        await _service.AdmitAsync(JobService.Job("a"));
        var wait = _service.Waiters.WaitAsync(Key, 0, JobService.Cancel);
        await _service.Control.CancelAsync("a", JobService.Cancel); // there is no worker that would relay it

        Assert.Equal(RunStatus.Cancelled, (await wait.WaitAsync(Eventually.Limit, JobService.Cancel)).Status);
        await stopping.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => looking);
    }

    [Fact]
    public async Task Polling_continues_after_an_unexpected_failure()
    {
        var waiters = new OutcomeWaiters(new OnceBrokenOutbox(_service.Outbox), TimeProvider.System);
        using var stopping = new CancellationTokenSource();
        var looking = waiters.RunAsync(stopping.Token);
        await _service.AdmitAsync(JobService.Job("a"));
        var wait = waiters.WaitAsync(Key, 0, JobService.Cancel);
        await _service.Control.CancelAsync("a", JobService.Cancel);

        Assert.Equal(RunStatus.Cancelled, (await wait.WaitAsync(Eventually.Limit, JobService.Cancel)).Status);
        await stopping.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => looking);
    }

    private static Outcome Outcome(RunStatus status) => new(Key, 1, status, "{}"u8.ToArray(), "", default, default, false);

    /// <summary>Fails the first query with an unexpected error.</summary>
    private sealed class OnceBrokenOutbox(IOutbox outbox) : IOutbox
    {
        private int _asked;

        public ValueTask<int> RelayNoticesAsync(
            int atMost,
            Func<ImmutableArray<Notice>, CancellationToken, Task> publish,
            CancellationToken cancellationToken
        ) => outbox.RelayNoticesAsync(atMost, publish, cancellationToken);

        public ValueTask<int> RelayAsync(
            int atMost,
            Func<ImmutableArray<Outcome>, CancellationToken, Task> publish,
            CancellationToken cancellationToken
        ) => outbox.RelayAsync(atMost, publish, cancellationToken);

        public ValueTask<ImmutableArray<Outcome>> FindAsync(ImmutableArray<RunKey> runs, CancellationToken cancellationToken) =>
            outbox.FindAsync(runs, cancellationToken);

        public ValueTask<ImmutableArray<RunOutcomeStatus>> FindStatusesAsync(
            ImmutableArray<RunKey> runs,
            CancellationToken cancellationToken
        ) =>
            Interlocked.Increment(ref _asked) == 1
                ? throw new InvalidOperationException("broken")
                : outbox.FindStatusesAsync(runs, cancellationToken);

        public ValueTask<int> DropAsync(TimeSpan olderThan, int atMost, CancellationToken cancellationToken) =>
            outbox.DropAsync(olderThan, atMost, cancellationToken);
    }
}
