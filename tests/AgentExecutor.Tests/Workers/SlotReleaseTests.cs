using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;
using AgentExecutor.Tests.Jobs;

namespace AgentExecutor.Tests.Workers;

/// <summary>A run that only waits releases its slot.</summary>
public sealed class SlotReleaseTests : IAsyncDisposable
{
    private const string Throttled =
        """[{"text": "late", "error": {"class": "rate_limit", "retry_after_seconds": SECONDS, "attempts": 1}}]""";

    private static string Waits(int seconds) => Throttled.Replace("SECONDS", $"{seconds}", StringComparison.Ordinal);

    private readonly JobService _service = new();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task With_one_slot_other_runs_complete_while_one_waits_for_its_model()
    {
        _service.Settings = new WorkerSettings { Slots = 1 };
        var worker = _service.StartWorker();
        await _service.SendAsync(JobService.Job("waits", Waits(290)));
        await _service.HasStatusAsync("waits", RunStatus.Running);

        await _service.SendAsync(JobService.Job("b"), JobService.Job("c"));
        await _service.AdmitAsync(JobService.Job("d"));
        await _service.HasResultsAsync(3);

        Assert.Equal(["b", "c", "d"], (await _service.ResultsAsync()).Select(it => it.Job).Order());
        Assert.Equal(RunStatus.Running, await _service.StatusAsync("waits"));
        await _service.StopAsync(worker);
        Assert.Equal(RunStatus.Pending, await _service.StatusAsync("waits")); // returned at once, although its wait was not over
    }

    [Fact]
    public async Task Above_the_limit_of_waiting_runs_no_more_runs_are_claimed()
    {
        _service.Settings = new WorkerSettings { Slots = 1, MaxWaiting = 1 };
        _service.StartWorker();
        await _service.SendAsync(JobService.Job("first", Waits(10)));
        await _service.HasStatusAsync("first", RunStatus.Running);
        await _service.SendAsync(JobService.Job("second", Waits(10)));
        await _service.HasStatusAsync("second", RunStatus.Running);

        await _service.AdmitAsync(JobService.Job("third"));
        await _service.HasResultsAsync(3);

        Assert.NotEqual("third", (await _service.ResultsAsync())[0].Job); // although it waited only for a slot
    }
}
