using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Tests.Jobs;

public sealed class RunWaitsTests : IAsyncDisposable
{
    private static readonly RunKey Key = new("a", "a");

    private readonly JobService _service = new();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task All_who_wait_are_told_but_for_who_gave_up()
    {
        using var impatient = new CancellationTokenSource();
        var waiting = Enumerable.Range(0, 3).Select(_ => _service.Waits.WaitAsync(Key, 0, JobService.Cancel)).ToList();
        var gaveUp = _service.Waits.WaitAsync(Key, 0, impatient.Token);
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gaveUp);
        Assert.All(waiting, wait => Assert.False(wait.IsCompleted));

        _service.StartWorker();
        await _service.SendAsync(JobService.Job("a"));

        Assert.All(await Task.WhenAll(waiting).WaitAsync(Eventually.Limit, JobService.Cancel), outcome => Assert.Equal(RunStatus.Completed, outcome.Status));
    }

    [Fact]
    public async Task What_was_told_is_forgotten()
    {
        var wait = _service.Waits.WaitAsync(Key, 0, JobService.Cancel);
        _service.Waits.Tell(Outcome(RunStatus.Interrupted));
        Assert.Equal(RunStatus.Interrupted, (await wait).Status);

        var next = _service.Waits.WaitAsync(Key, 0, JobService.Cancel);
        Assert.False(next.IsCompleted);
        _service.Waits.Tell(Outcome(RunStatus.Completed) with { Run = new RunKey("b", "b") });
        Assert.False(next.IsCompleted);
        _service.Waits.Tell(Outcome(RunStatus.Completed));

        Assert.Equal(RunStatus.Completed, (await next).Status);
    }

    [Fact]
    public async Task What_others_brought_about_is_found()
    {
        using var stopping = new CancellationTokenSource();
        var looking = _service.Waits.RunAsync(stopping.Token);
        await _service.AdmitAsync(JobService.Job("a"));
        var wait = _service.Waits.WaitAsync(Key, 0, JobService.Cancel);
        await _service.Control.CancelAsync("a", JobService.Cancel); // nobody relays it: no worker is there

        Assert.Equal(RunStatus.Cancelled, (await wait.WaitAsync(Eventually.Limit, JobService.Cancel)).Status);
        await stopping.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => looking);
    }

    private static Outcome Outcome(RunStatus status) => new(Key, 1, status, "{}"u8.ToArray(), "", default, default, false);
}
