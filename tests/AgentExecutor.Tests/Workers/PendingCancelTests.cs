using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;
using AgentExecutor.Tests.Jobs;

namespace AgentExecutor.Tests.Workers;

/// <summary>A request to cancel a run is stored just when the run ends in another way, before its worker reads the request.</summary>
public sealed class PendingCancelTests : IAsyncDisposable
{
    private const string WriteFile =
        """[{"tool_calls": [{"name": "write_file", "args": {"file_path": "/a.md", "content": "x"}}], "delay_ms": 4000}]""";

    private readonly JobService _service = new()
    {
        Settings = new WorkerSettings { Slots = 20, RescueSeconds = 100_000 },
    };

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Theory]
    [InlineData("""[{"text": "done", "delay_ms": 4000}]""", "")]
    [InlineData(WriteFile, "")] // the script has no further turn, so the run fails
    [InlineData(WriteFile, """, "interrupt_on": {"write_file": true}""")]
    public async Task A_run_that_completes_fails_or_is_interrupted_is_cancelled_instead(string script, string more)
    {
        _service.StartWorker();
        await _service.SendAsync(JobService.Job("a", script, more));
        await _service.HasStatusAsync("a", RunStatus.Running);

        Assert.Equal(RunStatus.Running, (await _service.Control.CancelAsync("a", JobService.Cancel)).Status);
        await _service.HasSettledAsync(1);

        Assert.Equal(RunStatus.Cancelled, await _service.StatusAsync("a"));
        Assert.Equal(["a cancelled"], (await _service.ResultsAsync()).Select(it => $"{it.Job} {it.Status}"));
    }

    [Fact]
    public async Task A_run_that_is_returned_to_the_queue_is_cancelled_instead()
    {
        var worker = _service.StartWorker();
        await _service.SendAsync(JobService.Job("a", """[{"text": "done", "delay_ms": 600000}]"""));
        await _service.HasStatusAsync("a", RunStatus.Running);
        await _service.Control.CancelAsync("a", JobService.Cancel);

        await _service.StopAsync(worker);

        Assert.Equal(RunStatus.Cancelled, await _service.StatusAsync("a"));
        Assert.Equal(["a cancelled"], (await _service.ResultsAsync()).Select(it => $"{it.Job} {it.Status}"));
    }

    [Fact]
    public async Task A_run_that_waits_for_a_retry_without_a_slot_is_cancelled()
    {
        _service.Settings = new WorkerSettings { Slots = 1 };
        _service.StartWorker();
        await _service.SendAsync(
            JobService.Job("a", """[{"text": "late", "error": {"class": "rate_limit", "retry_after_seconds": 290, "attempts": 1}}]""")
        );
        await _service.HasStatusAsync("a", RunStatus.Running);
        await _service.SendAsync(JobService.Job("b"));
        await _service.HasResultsAsync(1);

        await _service.Control.CancelAsync("a", JobService.Cancel);
        await _service.HasSettledAsync(2);

        Assert.Equal(["b completed", "a cancelled"], (await _service.ResultsAsync()).Select(it => $"{it.Job} {it.Status}"));
    }
}
